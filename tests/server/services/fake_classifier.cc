#include "tests/server/services/fake_classifier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"

namespace graft::testing {
namespace {

constexpr size_t kMaxImageBytes = 10 << 20;
constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

absl::StatusOr<inference::Classification> FakeClassifier::Answer(const inference::ClassifyCall& call) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("model", "models", call.model));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry_->Find(reference));
  if (call.image.size() > kMaxImageBytes) return InvalidField("image", "is larger than 10 MiB");
  if (absl::StartsWith(call.image, "broken")) return InvalidField("image", "cannot be decoded");
  if (absl::StartsWith(call.image, "full")) {
    return RetryLater(absl::StatusCode::kResourceExhausted, "too many images wait", absl::Milliseconds(100));
  }
  {
    absl::MutexLock lock(&mutex_);
    models_.insert(version.model);
  }
  inference::Classification result;
  result.model_version = VersionName("models", version.model, version.number);
  result.predictions = {{"cat", 0.75F, 0}, {"dog", 0.25F, 1}};
  if (absl::StartsWith(call.image, "wide")) result.predictions = {{std::string(256 << 10, 'w'), 1, 0}};
  if (call.top_k == 1) result.predictions.pop_back();
  result.times = {absl::Milliseconds(2), absl::Milliseconds(1), absl::Milliseconds(5), absl::Milliseconds(8)};
  result.forward_pass = 1;
  return result;
}

void FakeClassifier::Classify(inference::ClassifyCall call,
                              std::function<void(absl::StatusOr<inference::Classification>)> done) {
  {
    absl::MutexLock lock(&mutex_);
    last_ = call;
  }
  if (Hold(call, done)) return;
  done(Answer(call));
}

bool FakeClassifier::Hold(inference::ClassifyCall& call, Done& done) {
  bool refused = false;
  {
    absl::MutexLock lock(&mutex_);
    ++calls_;
    if (!absl::StartsWith(call.image, "hold")) return false;
    refused = held_.size() >= room_;
    if (refused) {
      ++refused_;
    } else {
      held_.push_back({std::move(call), std::move(done)});
      most_held_ = std::max(most_held_, held_.size());
    }
  }
  if (refused) done(RetryLater(absl::StatusCode::kResourceExhausted, "no room", absl::Milliseconds(1)));
  return true;
}

void FakeClassifier::Load(const std::string& model, std::function<void(absl::Status)> done) {
  absl::Status result;
  {
    absl::MutexLock lock(&mutex_);
    result = load_failure_;
  }
  const absl::StatusOr<VersionReference> reference = ParseVersionReference("model", "models", model);
  result.Update(reference.ok() ? registry_->Find(*reference).status() : reference.status());
  done(result);
}

void FakeClassifier::FailLoads(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  load_failure_ = std::move(status);
}

absl::Status FakeClassifier::Unload(const std::string& model) {
  const absl::StatusOr<VersionReference> reference = ParseVersionReference("model", "models", model);
  absl::MutexLock lock(&mutex_);
  unloaded_.push_back(model);
  if (reference.ok()) models_.erase(reference->name);
  return absl::OkStatus();
}

inference::ClassifierStats FakeClassifier::stats() const {
  absl::MutexLock lock(&mutex_);
  inference::ClassifierStats stats;
  stats.trunks = 1;
  stats.passes = {calls_};
  stats.models = models_;
  return stats;
}

void FakeClassifier::SetLoaded(std::set<std::string> models) {
  absl::MutexLock lock(&mutex_);
  models_ = std::move(models);
}

void FakeClassifier::Forget(const std::string& model, int number) {
  absl::MutexLock lock(&mutex_);
  forgotten_.push_back(absl::StrCat(model, ":", number));
}

std::vector<std::string> FakeClassifier::forgotten() const {
  absl::MutexLock lock(&mutex_);
  return forgotten_;
}

std::vector<std::string> FakeClassifier::unloaded() const {
  absl::MutexLock lock(&mutex_);
  return unloaded_;
}

inference::ClassifyCall FakeClassifier::LastCall() const {
  absl::MutexLock lock(&mutex_);
  return last_;
}

void FakeClassifier::LimitRoom(int holds) {
  absl::MutexLock lock(&mutex_);
  room_ = static_cast<size_t>(holds);
}

bool FakeClassifier::AwaitHeld(int count) {
  const auto held = [this, count]()
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return static_cast<int>(held_.size()) >= count; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&held), kPatience);
}

bool FakeClassifier::AwaitRefused(int count) {
  const auto refused = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return refused_ >= count; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&refused), kPatience);
}

int FakeClassifier::most_held() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(most_held_);
}

int FakeClassifier::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

bool FakeClassifier::HeldCallIsCancelled() {
  const absl::Time limit = absl::Now() + kPatience;
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
