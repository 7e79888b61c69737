#include "tests/server/services/fake_classifier.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"

namespace graft::testing {

absl::StatusOr<inference::Classification> FakeClassifier::Answer(const inference::ClassifyCall& call) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("model", "models", call.model));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->Find(reference));
  if (absl::StartsWith(call.image, "broken")) return InvalidField("image", "cannot be decoded");
  if (absl::StartsWith(call.image, "full")) {
    return RetryLater(absl::StatusCode::kResourceExhausted, "too many images wait", absl::Milliseconds(100));
  }
  inference::Classification result;
  result.model_version = VersionName("models", version.model, version.number);
  result.predictions = {{"cat", 0.75F, 0}, {"dog", 0.25F, 1}};
  if (call.top_k == 1) result.predictions.pop_back();
  result.times = {absl::Milliseconds(2), absl::Milliseconds(1), absl::Milliseconds(5), absl::Milliseconds(8)};
  return result;
}

void FakeClassifier::Classify(inference::ClassifyCall call,
                              std::function<void(absl::StatusOr<inference::Classification>)> done) {
  if (absl::StartsWith(call.image, "hold")) {
    absl::MutexLock lock(&mutex_);
    held_.push_back({std::move(call), std::move(done)});
    return;
  }
  done(Answer(call));
}

void FakeClassifier::Load(const std::string& model, std::function<void(absl::Status)> done) {
  const absl::StatusOr<VersionReference> reference = ParseVersionReference("model", "models", model);
  done(reference.ok() ? registry_->Find(*reference).status() : reference.status());
}

void FakeClassifier::AwaitHeld() {
  const auto held = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !held_.empty(); };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&held), absl::Seconds(30));
}

bool FakeClassifier::HeldCallIsCancelled() {
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (absl::Now() < limit) {
    {
      absl::MutexLock lock(&mutex_);
      if (!held_.empty() && held_.back().call.cancellation->cancelled()) return true;
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  return false;
}

void FakeClassifier::ReleaseHeld() {
  std::deque<Held> held;
  {
    absl::MutexLock lock(&mutex_);
    held.swap(held_);
  }
  for (Held& one : held) one.done(Answer(one.call));
}

}  // namespace graft::testing
