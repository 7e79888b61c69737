#include "server/rpc/gate.h"

#include <utility>

#include "core/base/errors.h"

namespace graft::rpc {

absl::Status ShuttingDown() {
  return RetryLater(absl::StatusCode::kUnavailable, "the server is shutting down", absl::Seconds(1));
}

absl::Status RequestQueueFull() {
  return RetryLater(absl::StatusCode::kResourceExhausted, "the server's request queue is full",
                    absl::Milliseconds(250));
}

absl::Status Gate::Admit() const {
  absl::MutexLock lock(&mutex_);
  return draining_ ? ShuttingDown() : absl::OkStatus();
}

void Gate::Drain() {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(draining_, true)) return;
  for (const auto& [id, listener] : drain_listeners_) listener();
}

int64_t Gate::OnDrain(std::function<void()> listener) {
  absl::MutexLock lock(&mutex_);
  if (draining_) listener();
  drain_listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Gate::RemoveDrainListener(int64_t id) {
  absl::MutexLock lock(&mutex_);
  drain_listeners_.erase(id);
}

}  // namespace graft::rpc
