// How often a line of one kind may be written: neither an overload nor an attack is to fill the disk.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace graft::logging {

// Thread-safe.
class LineBudget {
 public:
  explicit LineBudget(int per_second) : per_second_(per_second) {}

  // How many lines were left out since the last one that was written; nullopt: leave this one out too.
  std::optional<int64_t> Take(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int per_second_;
  absl::Mutex mutex_;
  absl::Time second_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // its start
  int written_ ABSL_GUARDED_BY(mutex_) = 0;                           // within it
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace graft::logging
