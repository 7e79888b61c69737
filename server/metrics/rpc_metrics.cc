#include "server/metrics/rpc_metrics.h"

namespace graft::metrics {
namespace {

const prometheus::Histogram::BucketBoundaries& DurationBuckets() {
  static const auto* buckets = new prometheus::Histogram::BucketBoundaries{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return *buckets;
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry& registry)
    : requests_(prometheus::BuildCounter()
                    .Name("graft_rpc_requests_total")
                    .Help("Calls that ended, by method and status code.")
                    .Register(registry)),
      durations_(prometheus::BuildHistogram()
                     .Name("graft_rpc_duration_seconds")
                     .Help("From the call's arrival to its status, by method and status code.")
                     .Register(registry)),
      active_(prometheus::BuildGauge()
                  .Name("graft_rpc_active")
                  .Help("Calls that have begun and not ended.")
                  .Register(registry)
                  .Add({})) {}

void RpcMetrics::End(const std::string& method, absl::StatusCode code, absl::Duration duration) {
  const prometheus::Labels labels = {{"method", method}, {"code", absl::StatusCodeToString(code)}};
  requests_.Add(labels).Increment();
  durations_.Add(labels, DurationBuckets()).Observe(absl::ToDoubleSeconds(duration));
  active_.Decrement();
}

}  // namespace graft::metrics
