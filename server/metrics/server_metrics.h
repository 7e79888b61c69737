// All metrics of graft-server; docs/metrics.md lists them.
#pragma once

#include <prometheus/registry.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/thread_pool.h"
#include "core/dataset/dataset_store.h"
#include "core/inference/classifier.h"
#include "core/jobs/change_feed.h"
#include "core/jobs/job_store.h"
#include "core/registry/registry.h"
#include "core/store/database.h"
#include "server/metrics/classify_metrics.h"
#include "server/metrics/job_end_metrics.h"
#include "server/metrics/rpc_metrics.h"

namespace graft::metrics {

struct Connections {
  int open = 0;
  int64_t refused = 0;  // because as many as may were open
};

// Where the numbers come from. All of it outlives the metrics.
struct ServerSources {
  store::Database* database;
  dataset::DatasetStore* datasets;
  jobs::JobStore* jobs;
  jobs::ChangeFeed* feed;
  registry::Registry* registry;
  inference::Classifier* classifier;
  const ThreadPool* requests;
  std::function<Connections()> connections;
  std::string data_dir;
  std::string version;
  std::vector<std::string> devices;  // those with a worker
  std::function<bool(const std::string& device)> worker_runs;
  std::function<int64_t(const std::string& device)> worker_failures;
};

// Tells `registry` of each commit of `database` from now on; returns what ends that.
std::shared_ptr<void> ObserveCommits(prometheus::Registry& registry, store::Database* database);

// Thread-safe.
class ServerMetrics {
 public:
  explicit ServerMetrics(ServerSources sources);

  RpcMetrics& rpc() { return rpc_; }
  ClassifyMetrics& classify() { return classify_; }
  // What an endpoint serves. It must stop before what the sources point to ends.
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables() const;

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  const std::shared_ptr<ModelMetrics> models_;
  const std::shared_ptr<prometheus::Collectable> sampled_;
  RpcMetrics rpc_;
  ClassifyMetrics classify_;
  JobEndMetrics job_ends_;
  const std::shared_ptr<void> commits_;
};

}  // namespace graft::metrics
