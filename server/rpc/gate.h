// The gate every call passes: who may enter (nobody while draining), where it runs, who counts it.
#pragma once

#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"
#include "server/metrics/rpc_metrics.h"

namespace graft::rpc {

// Thread-safe. `requests` runs short blocking work and outlives every call, as does `metrics` (may be null).
class Gate {
 public:
  Gate(ThreadPool* requests, metrics::RpcMetrics* metrics) : requests_(requests), metrics_(metrics) {}

  // Unavailable with RetryInfo while draining.
  absl::Status Admit() const ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on Admit refuses; open streams that registered are told, once, on this thread.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // `listener` is called at Drain, or at once when draining already. It must not call back into the gate.
  int64_t OnDrain(std::function<void()> listener) ABSL_LOCKS_EXCLUDED(mutex_);
  // After return the listener is not running and will not run.
  void RemoveDrainListener(int64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  ThreadPool& requests() { return *requests_; }
  metrics::RpcMetrics* metrics() { return metrics_; }

 private:
  ThreadPool* const requests_;
  metrics::RpcMetrics* const metrics_;

  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_listener_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, std::function<void()>> drain_listeners_ ABSL_GUARDED_BY(mutex_);
};

// Unavailable: this server is shutting down, another attempt finds the next one.
absl::Status ShuttingDown();
// ResourceExhausted: too much short work is waiting.
absl::Status RequestQueueFull();

}  // namespace graft::rpc
