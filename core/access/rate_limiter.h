// How often, and how much at once, each principal may ask.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace graft::access {

struct RateLimits {
  double calls_per_second = 50;  // above 0
  double burst = 100;            // calls at once after a pause
  int max_streams = 32;          // open at a time
};

// A token bucket and a count of open streams per name. Thread-safe; never blocks.
class RateLimiter {
 public:
  explicit RateLimiter(const RateLimits& limits) : limits_(limits) {}

  // RetryLater(ResourceExhausted) with the time until the next call is allowed.
  absl::Status Take(const std::string& name, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Counted until the handle is dropped, which may outlive this object. RetryLater(ResourceExhausted) beyond
  // max_streams.
  absl::StatusOr<std::shared_ptr<void>> TakeStream(const std::string& name);

 private:
  struct Bucket {
    double calls;
    absl::Time time;  // at which it held them
  };
  struct Streams {
    absl::Mutex mutex;
    absl::flat_hash_map<std::string, int> open ABSL_GUARDED_BY(mutex);
  };

  const RateLimits limits_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
  const std::shared_ptr<Streams> streams_ = std::make_shared<Streams>();
};

}  // namespace graft::access
