// Tells whoever works for a caller that the caller no longer wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace graft {

// Once cancelled, cancelled for good. Thread-safe; shared by those who tell and those who listen.
class Cancellation {
 public:
  // The first one runs the listeners, on this thread, without a lock.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);

  // `listener` runs at Cancel, or now if that was before; it must not block. The result is for Remove.
  int64_t OnCancel(std::function<void()> listener) ABSL_LOCKS_EXCLUDED(mutex_);
  // The listener will not start from now on; one that Cancel has begun may still be running.
  void Remove(int64_t listener) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft
