#include "client/api/ordered_answers.h"

#include <algorithm>
#include <utility>

namespace graft::client {

bool OrderedAnswers::Take(int64_t index, v1::ClassifyStreamResponse answer) {
  absl::MutexLock lock(&mutex_);
  if (index < next_ || index >= count_) return false;
  if (model_version_.empty()) model_version_ = answer.model_version();
  if (!early_.emplace(index, std::move(answer)).second) return false;
  ReportReady();
  return true;
}

void OrderedAnswers::ReportReady() {
  for (auto first = early_.begin(); first != early_.end() && first->first == next_; first = early_.erase(first)) {
    observer_.on_answer(next_++, first->second);
  }
}

int64_t OrderedAnswers::NextToSend(int64_t from) {
  absl::MutexLock lock(&mutex_);
  int64_t index = std::max(from, next_);
  const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (index < next_ || early_.contains(index)) ++index;
    return waiting_ended_ || index < next_ + kMaxAhead;
  };
  mutex_.Await(absl::Condition(&settled));
  return waiting_ended_ ? -1 : std::min(index, count_);
}

void OrderedAnswers::StopWaiting() {
  absl::MutexLock lock(&mutex_);
  waiting_ended_ = true;
}

void OrderedAnswers::StartWaiting() {
  absl::MutexLock lock(&mutex_);
  waiting_ended_ = false;
}

bool OrderedAnswers::complete() const {
  absl::MutexLock lock(&mutex_);
  return next_ == count_;
}

std::string OrderedAnswers::model_version() const {
  absl::MutexLock lock(&mutex_);
  return model_version_;
}

void OrderedAnswers::Close(const absl::Status& error) {
  absl::MutexLock lock(&mutex_);
  const bool report_unanswered = observer_.on_unanswered && !absl::IsCancelled(error);
  for (; next_ < count_ && (report_unanswered || !early_.empty()); ++next_) {
    const auto first = early_.begin();
    if (first != early_.end() && first->first == next_) {
      observer_.on_answer(next_, first->second);
      early_.erase(first);
    } else if (report_unanswered) {
      observer_.on_unanswered(next_, error);
    }
  }
}

}  // namespace graft::client
