// The buckets of every histogram, in seconds.
#pragma once

#include <prometheus/histogram.h>

namespace graft::metrics {

// Of requests and their parts: 0.5 ms to 10 s.
inline prometheus::Histogram::BucketBoundaries RequestBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

// Of jobs and their parts, which take from milliseconds to a day.
inline prometheus::Histogram::BucketBoundaries JobBuckets() {
  return {0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400};
}

}  // namespace graft::metrics
