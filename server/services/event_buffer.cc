#include "server/services/event_buffer.h"

#include <algorithm>
#include <utility>

namespace graft::services {

void EventBuffer::Offer(const jobs::Event& event) {
  absl::MutexLock lock(&mutex_);
  if (event.sequence <= last_) return;
  if (event.sequence > last_ + 1 || events_.size() >= capacity_) {
    behind_ = true;
    return;
  }
  events_.push_back(event);
  last_ = event.sequence;
}

std::optional<jobs::Event> EventBuffer::Pop() {
  absl::MutexLock lock(&mutex_);
  if (events_.empty()) return std::nullopt;
  jobs::Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void EventBuffer::SkipTo(int sequence) {
  absl::MutexLock lock(&mutex_);
  last_ = std::max(last_, sequence - 1);
}

bool EventBuffer::TakeBehind() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(behind_, false);
}

void EventBuffer::MarkBehind() {
  absl::MutexLock lock(&mutex_);
  behind_ = true;
}

int EventBuffer::last_sequence() const {
  absl::MutexLock lock(&mutex_);
  return last_;
}

}  // namespace graft::services
