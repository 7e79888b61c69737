// How many calls ended how, and how long they took.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace graft::metrics {

// Thread-safe. The registry outlives it.
class RpcMetrics {
 public:
  explicit RpcMetrics(prometheus::Registry& registry);

  void Begin() { active_.Increment(); }
  bool any_active() const { return active_.Value() > 0; }
  // `method` is one of our own ("graft.v1.TrainingService/GetJob"), so the label set is closed.
  void End(const std::string& method, absl::StatusCode code, absl::Duration duration);

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;  // without the code: a histogram is 17 series
  prometheus::Gauge& active_;
};

}  // namespace graft::metrics
