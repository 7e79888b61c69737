// Where the time of a classified image goes.
//
//   graft_classify_phase_seconds{phase}  histogram; phase: decode, queue, forward, total
//   graft_classify_images_total{code}    counter
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace graft::metrics {

// Thread-safe. The registry outlives it.
class ClassifyMetrics {
 public:
  explicit ClassifyMetrics(prometheus::Registry& registry);

  void Answered(absl::Duration decode, absl::Duration queue, absl::Duration forward, absl::Duration total);
  void Failed(absl::StatusCode code);

 private:
  prometheus::Family<prometheus::Histogram>& phases_;
  prometheus::Histogram& decode_;
  prometheus::Histogram& queue_;
  prometheus::Histogram& forward_;
  prometheus::Histogram& total_;
  prometheus::Family<prometheus::Counter>& images_;
  prometheus::Counter& answered_;
};

}  // namespace graft::metrics
