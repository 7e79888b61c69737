// The gate every call passes: who may enter (nobody while draining, then whom the guard lets in), where it runs, who
// counts it.
#pragma once

#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/thread_pool.h"
#include "server/access/guard.h"
#include "server/metrics/rpc_metrics.h"

namespace grpc {
class CallbackServerContext;
}

namespace graft::rpc {

class CallRecord;

enum class CallShape { kUnary, kStream };

// Thread-safe. `requests` runs short blocking work and outlives every call, as do `metrics` and `guard`, both of which
// may be null: without a guard every caller is access::Anonymous().
class Gate {
 public:
  Gate(ThreadPool* requests, metrics::RpcMetrics* metrics, const access::Guard* guard = nullptr)
      : requests_(requests), metrics_(metrics), guard_(guard) {}

  bool draining() const ABSL_LOCKS_EXCLUDED(mutex_);
  // False from StopServing on: calls are taken still, but load balancers are to look for another server.
  bool serving() const ABSL_LOCKS_EXCLUDED(mutex_);
  void StopServing() ABSL_LOCKS_EXCLUDED(mutex_);

  // Unavailable with RetryInfo while draining; else Identify.
  absl::Status Admit(const grpc::CallbackServerContext& context, CallShape shape,
                     const google::protobuf::Message* request, CallRecord& record) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the record who calls, if they may. Never blocks. `request`, where it is there already, is for the audit log.
  absl::Status Identify(const grpc::CallbackServerContext& context, CallShape shape,
                        const google::protobuf::Message* request, CallRecord& record);
  // Whether an admitted call's credentials are valid still. Never blocks.
  absl::Status StillValid(const CallRecord& record) const;
  // See access::Guard, for an admitted call that is StillValid. Authorize reads and writes the database, CheckNames
  // does not block.
  absl::Status Authorize(const CallRecord& record, const google::protobuf::Message& message) const;
  absl::Status CheckNames(const CallRecord& record, const google::protobuf::Message& message) const;

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
  const access::Guard* const guard_;

  mutable absl::Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = true;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_listener_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, std::function<void()>> drain_listeners_ ABSL_GUARDED_BY(mutex_);
};

// Unavailable: this server is shutting down, another attempt finds the next one.
absl::Status ShuttingDown();
// ResourceExhausted: too much short work is waiting.
absl::Status RequestQueueFull();

}  // namespace graft::rpc
