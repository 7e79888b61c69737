#include "core/inference/request_queue.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "core/base/thread_pool.h"

namespace graft::inference {

RequestQueue::RequestQueue(int capacity, std::function<void(RequestPointer)> on_expired)
    : capacity_(capacity),
      on_expired_(std::move(on_expired)),
      expirer_(NamedThread("deadlines", [this] { Expire(); })) {}

RequestQueue::~RequestQueue() {
  Stop();
  expirer_.join();
}

bool RequestQueue::TryPush(RequestPointer request) {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || static_cast<int>(waiting_.size()) >= capacity_) return false;
  request->number = next_number_++;
  waiting_.emplace(KeyOf(*request), request);
  if (waiting_.begin()->second == request) earlier_deadline_.Signal();
  ready_.push_back(std::move(request));
  return true;
}

RequestPointer RequestQueue::Pop() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &RequestQueue::HasReady));
  if (stopped_) return nullptr;
  RequestPointer request = std::move(ready_.front());
  ready_.pop_front();
  waiting_.erase(KeyOf(*request));
  return request;
}

bool RequestQueue::Park(RequestPointer request) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  waiting_.emplace(KeyOf(*request), request);
  if (waiting_.begin()->second == request) earlier_deadline_.Signal();
  return true;
}

bool RequestQueue::Take(const RequestPointer& request) {
  absl::MutexLock lock(&mutex_);
  return waiting_.erase(KeyOf(*request)) > 0;
}

bool RequestQueue::PushFront(RequestPointer request) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  waiting_.emplace(KeyOf(*request), request);
  if (waiting_.begin()->second == request) earlier_deadline_.Signal();
  ready_.push_front(std::move(request));
  return true;
}

std::vector<RequestPointer> RequestQueue::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  earlier_deadline_.Signal();
  std::vector<RequestPointer> left;
  for (auto& entry : waiting_) left.push_back(std::move(entry.second));
  waiting_.clear();
  ready_.clear();
  return left;
}

void RequestQueue::Expire() {
  while (true) {
    RequestPointer expired;
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      const absl::Time next = waiting_.empty() ? absl::InfiniteFuture() : waiting_.begin()->first.first;
      if (absl::Now() < next) {
        earlier_deadline_.WaitWithDeadline(&mutex_, next);
        continue;
      }
      expired = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      // At most `capacity` long; an expired request must not keep its image.
      ready_.erase(std::remove(ready_.begin(), ready_.end(), expired), ready_.end());
    }
    on_expired_(std::move(expired));
  }
}

}  // namespace graft::inference
