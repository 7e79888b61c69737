#include "server/metrics/job_gauges.h"

namespace graft::metrics {

std::vector<prometheus::MetricFamily> JobGauges::Collect() const {
  const auto counts = count_();
  if (!counts.ok()) return {};
  prometheus::MetricFamily family;
  family.name = "graft_jobs";
  family.help = "Jobs by state.";
  family.type = prometheus::MetricType::Gauge;
  for (const auto& [state, jobs] : *counts) {
    prometheus::ClientMetric metric;
    metric.label = {{"state", state}};
    metric.gauge.value = jobs;
    family.metric.push_back(std::move(metric));
  }
  return {std::move(family)};
}

}  // namespace graft::metrics
