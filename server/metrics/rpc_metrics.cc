#include "server/metrics/rpc_metrics.h"

#include "server/metrics/buckets.h"

namespace graft::metrics {
RpcMetrics::RpcMetrics(prometheus::Registry& registry)
    : requests_(prometheus::BuildCounter()
                    .Name("graft_rpc_requests_total")
                    .Help("Calls that ended, by method and status code.")
                    .Register(registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("graft_rpc_duration_seconds")
                     .Help("From the call's arrival to its status, by method.")
                     .Register(registry)),
      active_(prometheus::BuildGauge()
                  .Name("graft_rpc_active")
                  .Help("Calls that have begun and not ended.")
                  .Register(registry)
                  .Add({})) {}

void RpcMetrics::End(const std::string& method, absl::StatusCode code, absl::Duration duration) {
  requests_.Add({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Increment();
  durations_.Add({{"method", method}}, RequestBuckets()).Observe(absl::ToDoubleSeconds(duration));
  active_.Decrement();
}

}  // namespace graft::metrics
