// How many calls ended how, and how long they took.
//
//   graft_rpc_requests_total{method,code}    counter
//   graft_rpc_duration_seconds{method,code}  histogram, 0.5 ms to 10 s
//   graft_rpc_active                         gauge: calls begun and not ended
// `method` is one of our own ("graft.v1.TrainingService/GetJob"), so the label set is closed.
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
  void End(const std::string& method, absl::StatusCode code, absl::Duration duration);

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Gauge& active_;
};

}  // namespace graft::metrics
