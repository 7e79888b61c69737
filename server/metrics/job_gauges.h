// How many jobs are in each state, counted when Prometheus asks.
//
//   graft_jobs{state}  gauge; state: QUEUED, TRAINING, ...
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace graft::metrics {

// Thread-safe if `count` is.
class JobGauges : public prometheus::Collectable {
 public:
  // Jobs by the state's name. When it fails, the scrape lacks the gauge: a gap shows what a stale number hides.
  using Count = std::function<absl::StatusOr<std::map<std::string, int>>()>;

  explicit JobGauges(Count count) : count_(std::move(count)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Count count_;
};

}  // namespace graft::metrics
