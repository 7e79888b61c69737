// How jobs end, told from the change feed: whatever becomes of their workers.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <memory>

#include "core/jobs/change_feed.h"

namespace graft::metrics {

// Thread-safe. What it is given outlives it.
class JobEndMetrics {
 public:
  JobEndMetrics(prometheus::Registry& registry, jobs::ChangeFeed* feed);

 private:
  void Count(const jobs::StateChanged& change);

  prometheus::Family<prometheus::Counter>& ended_;
  prometheus::Family<prometheus::Counter>& failures_;
  std::unique_ptr<jobs::ChangeFeed::Subscription> events_;  // ends first
};

}  // namespace graft::metrics
