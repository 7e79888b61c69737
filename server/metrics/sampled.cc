#include "server/metrics/sampled.h"

namespace graft::metrics {
namespace {

prometheus::MetricFamily Family(const std::string& name, const std::string& help, prometheus::MetricType type,
                                const std::vector<Sample>& samples) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  for (const Sample& sample : samples) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = sample.labels;
    metric.gauge.value = metric.counter.value = sample.value;
  }
  return family;
}

}  // namespace

prometheus::MetricFamily Gauge(const std::string& name, const std::string& help, const std::vector<Sample>& samples) {
  return Family(name, help, prometheus::MetricType::Gauge, samples);
}

prometheus::MetricFamily Counter(const std::string& name, const std::string& help, const std::vector<Sample>& samples) {
  return Family(name, help, prometheus::MetricType::Counter, samples);
}

}  // namespace graft::metrics
