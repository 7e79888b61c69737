// A server in one object: the services over their stores, the gRPC listener, the metrics endpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/dataset/dataset_store.h"
#include "core/inference/classifier.h"
#include "core/jobs/change_feed.h"
#include "core/jobs/job_store.h"
#include "core/registry/registry.h"
#include "core/store/database.h"
#include "server/access/certificate_files.h"
#include "server/access/guard.h"
#include "server/config/listen_address.h"
#include "server/main/connection_limits.h"

namespace graft {

// What the services work on; all of it outlives the server.
struct ServerParts {
  store::Database* database;
  dataset::DatasetStore* datasets;
  jobs::JobStore* jobs;
  jobs::ChangeFeed* feed;
  registry::Registry* registry;
  inference::Classifier* classifier;
  std::function<bool(const std::string& device)> worker_runs;
  std::function<int64_t(const std::string& device)> worker_failures;  // see supervisor::WorkerSupervisor
};

struct ServerSettings {
  config::ListenAddress listen;
  std::optional<config::ListenAddress> metrics_listen;  // nullopt: no metrics endpoint
  std::string data_dir;
  std::string weights_root;
  std::string version;
  std::map<std::string, std::string> library_versions;
  std::vector<std::string> devices;       // those with a worker
  std::vector<std::string> bf16_devices;  // those of them that compute in bf16
  int cores_per_worker = 1;
  int64_t max_image_bytes = 10 << 20;
  ConnectionLimits connection;
  access::CertificateFiles tls;  // no files: plaintext
  access::GuardOptions access = {.asks = false, .rates = {}};
};

// Thread-safe.
class Server {
 public:
  // Unavailable, naming the flag, if an address cannot be bound.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerParts& parts, const ServerSettings& settings);
  // Drains without patience if Drain was not called.
  virtual ~Server() = default;

  // With the ports that port 0 stood for.
  virtual config::ListenAddress listening() const = 0;
  virtual std::optional<config::ListenAddress> metrics_listening() const = 0;

  // Health says NOT_SERVING; for `delay` calls are taken as before, until load balancers have noticed. Then new calls
  // are refused (Unavailable, retry), watches end, calls in flight finish until `patience` has passed and are cancelled
  // then. Returns when the last has ended.
  virtual void Drain(absl::Duration delay, absl::Duration patience) = 0;
};

}  // namespace graft
