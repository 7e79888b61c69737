// Where the time of a classified image goes.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "absl/status/status.h"
#include "core/inference/classifier.h"
#include "server/metrics/model_metrics.h"

namespace graft::metrics {

// Thread-safe. What it is given outlives it.
class ClassifyMetrics {
 public:
  ClassifyMetrics(prometheus::Registry& registry, ModelMetrics* models);

  void Answered(const inference::Classification& result);
  void Failed(absl::StatusCode code);

 private:
  ModelMetrics* const models_;
  prometheus::Family<prometheus::Histogram>& phases_;
  prometheus::Histogram& decode_;
  prometheus::Histogram& queue_;
  prometheus::Histogram& forward_;
  prometheus::Histogram& postprocess_;
  prometheus::Histogram& total_;
  prometheus::Family<prometheus::Counter>& images_;
  prometheus::Counter& answered_;
};

}  // namespace graft::metrics
