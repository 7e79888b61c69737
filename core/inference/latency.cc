#include "core/inference/latency.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/random.h"
#include "core/base/status_macros.h"

namespace graft::inference {
namespace {

// Rounds of one batch size: enough for a median, not more than the time for it.
constexpr int kFewestRounds = 3, kMostRounds = 25;
constexpr absl::Duration kTimeForRounds = absl::Milliseconds(1500);

// [size, size, 3]. Noise: a network on a black picture may be faster than on any photo.
std::vector<uint8_t> Noise(int size) {
  std::vector<uint8_t> pixels(static_cast<size_t>(size) * static_cast<size_t>(size) * 3);
  RandomStream random(RandomKey({1}));
  for (uint8_t& value : pixels) value = static_cast<uint8_t>(random.Below(256));
  return pixels;
}

// The first error of the images that one round hands over.
class Round {
 public:
  explicit Round(int images) : left_(images) {}

  void Answered(const absl::Status& status) {
    {
      absl::MutexLock lock(&mutex_);
      status_.Update(status);
    }
    left_.DecrementCount();
  }
  absl::Status Wait() {
    left_.Wait();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  absl::BlockingCounter left_;
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Of what may be answered more than once, and of which somebody waits for so long.
class FirstAnswer {
 public:
  void Answered(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!status_) status_ = std::move(status);
  }
  absl::Status Wait(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto answered = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return status_.has_value(); };
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithDeadline(absl::Condition(&answered), deadline)) return *status_;
    return absl::DeadlineExceededError("the deadline passed while the version was loaded; it goes on, so try again");
  }

 private:
  absl::Mutex mutex_;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<absl::Duration> RunRound(Classifier& classifier, const ClassifyCall& call, int images) {
  // Held by every callback too: the last one may still be in DecrementCount when Wait returns.
  const auto round = std::make_shared<Round>(images);
  const absl::Time start = absl::Now();
  for (int i = 0; i < images; ++i) {
    classifier.Classify(call, [round](const auto& answer) { round->Answered(answer.status()); });
  }
  RETURN_IF_ERROR(round->Wait());
  return absl::Now() - start;
}

absl::StatusOr<absl::Duration> MedianOfRounds(Classifier& classifier, const ClassifyCall& call, int images) {
  RETURN_IF_ERROR(RunRound(classifier, call, images).status());  // warms up
  const absl::Time end = absl::Now() + kTimeForRounds;
  std::vector<absl::Duration> rounds;
  while (rounds.size() < kFewestRounds || (rounds.size() < kMostRounds && absl::Now() < end)) {
    ASSIGN_OR_RETURN(rounds.emplace_back(), RunRound(classifier, call, images));
  }
  const auto middle = rounds.begin() + static_cast<std::ptrdiff_t>(rounds.size() / 2);
  std::nth_element(rounds.begin(), middle, rounds.end());
  return *middle;
}

}  // namespace

absl::Status LoadNow(Classifier& classifier, const std::string& model, absl::Time deadline,
                     const std::shared_ptr<Cancellation>& cancellation) {
  const auto loaded = std::make_shared<FirstAnswer>();
  classifier.Load(model, [loaded](absl::Status status) { loaded->Answered(std::move(status)); });
  if (cancellation == nullptr) return loaded->Wait(deadline);
  const int64_t listener = cancellation->OnCancel(
      [loaded] { loaded->Answered(absl::CancelledError("the caller went while the version was loaded")); });
  absl::Status status = loaded->Wait(deadline);
  cancellation->Remove(listener);
  return status;
}

absl::StatusOr<Latency> MeasureLatency(Classifier& classifier, const std::string& model, int input_size,
                                       absl::Time deadline, const std::shared_ptr<Cancellation>& cancellation) {
  RETURN_IF_ERROR(LoadNow(classifier, model, deadline, cancellation));
  const ClassifyCall call{.model = model,
                          .pixels = Noise(input_size),
                          .deadline = deadline,
                          .priority = Priority::kBatch,
                          .cancellation = cancellation};
  Latency latency;
  ASSIGN_OR_RETURN(latency.batch_1, MedianOfRounds(classifier, call, 1));
  ASSIGN_OR_RETURN(latency.batch_32, MedianOfRounds(classifier, call, kLatencyBatch));
  return latency;
}

}  // namespace graft::inference
