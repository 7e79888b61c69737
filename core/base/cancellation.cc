#include "core/base/cancellation.h"

#include <utility>

namespace graft {

void Cancellation::Cancel() {
  while (true) {
    std::function<void()> listener;
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      if (listeners_.empty()) return;
      // One at a time, so that a Remove meanwhile still counts.
      listener = std::move(listeners_.begin()->second);
      listeners_.erase(listeners_.begin());
    }
    listener();
  }
}

bool Cancellation::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

int64_t Cancellation::OnCancel(std::function<void()> listener) {
  {
    absl::MutexLock lock(&mutex_);
    if (!cancelled_) {
      listeners_.emplace(next_, std::move(listener));
      return next_++;
    }
  }
  listener();
  return -1;
}

void Cancellation::Remove(int64_t listener) {
  absl::MutexLock lock(&mutex_);
  listeners_.erase(listener);
}

}  // namespace graft
