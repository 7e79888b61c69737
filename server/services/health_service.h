// grpc.health.v1.Health: "" and each service of this server, told to everybody; and each model ("animals",
// "animals:3", "animals@production"), told to those who may use it.
//
// A service is SERVING until Gate::StopServing. A model is SERVING when it could answer at once: asking loads it. So
// live (there is an answer), ready ("") and model-ready differ.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/periodic_thread.h"
#include "core/inference/classifier.h"
#include "core/registry/registry.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/rpc/gate.h"
#include "server/rpc/slots.h"
#include "server/rpc/unary_call.h"

namespace graft::services {

// Thread-safe. What it points to outlives it.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  static constexpr int kMaxWatches = 256;

  HealthService(rpc::Gate* gate, registry::Registry* registry, inference::Classifier* classifier,
                std::set<std::string> services);

  // Whoever watches looks again: after Gate::StopServing they are told that nothing is SERVING.
  void WakeWatches() ABSL_LOCKS_EXCLUDED(mutex_);

  // NotFound for what there is not, and for models that are not the caller's.
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  // SERVICE_UNKNOWN instead of NotFound, since it may come. Changes of models are seen within a second.
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  friend class HealthWatch;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  bool IsService(const std::string& name) const { return name.empty() || services_.contains(name); }
  Status ServiceStatus() const;
  // The version that `name` means now. NotFound.
  absl::StatusOr<std::string> FindModel(const std::string& name, const access::Principal& principal) const;
  void CheckModel(const std::string& name, grpc::health::v1::HealthCheckResponse* response, const rpc::Call& call);

  struct Watched {
    std::function<void()> wake;
    bool of_model;  // looked at every second; services change with WakeWatches alone
  };
  int64_t AddWatch(std::function<void()> wake, bool of_model) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveWatch(int64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  rpc::Gate* const gate_;
  registry::Registry* const registry_;
  inference::Classifier* const classifier_;
  const std::set<std::string> services_;
  const std::shared_ptr<rpc::Slots> watch_slots_, nobodys_slots_;  // kMaxWatches each

  mutable absl::Mutex mutex_;
  int64_t next_watch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, Watched> watches_ ABSL_GUARDED_BY(mutex_);
  PeriodicThread ticker_;  // last: ends first
};

}  // namespace graft::services
