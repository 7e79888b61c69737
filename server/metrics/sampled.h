// Metrics that are asked for at each scrape instead of being counted: numbers that somebody else keeps.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace graft::metrics {

struct Sample {
  double value = 0;
  std::vector<prometheus::ClientMetric::Label> labels = {};
};

// A family of one sample is what `{{value}}` makes.
prometheus::MetricFamily Gauge(const std::string& name, const std::string& help, const std::vector<Sample>& samples);
prometheus::MetricFamily Counter(const std::string& name, const std::string& help, const std::vector<Sample>& samples);

using Families = std::vector<prometheus::MetricFamily>;

// Thread-safe if `ask` is. What cannot be told now is left out of its answer: a gap shows what a stale number hides.
class Sampled final : public prometheus::Collectable {
 public:
  explicit Sampled(std::function<Families()> ask) : ask_(std::move(ask)) {}
  Families Collect() const override { return ask_(); }

 private:
  const std::function<Families()> ask_;
};

}  // namespace graft::metrics
