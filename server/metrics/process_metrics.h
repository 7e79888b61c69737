// What the operating system says about this process, under the names every Prometheus client library uses:
//
//   process_resident_memory_bytes, process_open_fds, process_threads, process_start_time_seconds  gauges
//   process_cpu_seconds_total                                                                     counter
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "absl/time/time.h"

namespace graft::metrics {

// Thread-safe: reads /proc/self at every scrape.
class ProcessMetrics : public prometheus::Collectable {
 public:
  explicit ProcessMetrics(absl::Time start_time) : start_time_(start_time) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const absl::Time start_time_;
};

}  // namespace graft::metrics
