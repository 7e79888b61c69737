// A classifier without a network: what it answers depends on the bytes alone.
//
//   "broken ..."  InvalidArgument: cannot be decoded
//   "full ..."    RetryLater(ResourceExhausted)
//   "hold ..."    nothing until ReleaseHeld, then as for any other
//   any other     the labels "cat" (0.75) and "dog" (0.25), cut to top_k
// A model that the registry lacks is NotFound.
#pragma once

#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/inference/classifier.h"

namespace graft::testing {

// Thread-safe. Answers on the caller's thread.
class FakeClassifier final : public inference::Classifier {
 public:
  explicit FakeClassifier(registry::Registry* registry) : registry_(registry) {}

  void Classify(inference::ClassifyCall call,
                std::function<void(absl::StatusOr<inference::Classification>)> done) override;
  void Load(const std::string& model, std::function<void(absl::Status)> done) override;
  int loaded_trunks() const override { return 1; }

  // Waits, at most 30 s, until a "hold" is here.
  void AwaitHeld() ABSL_LOCKS_EXCLUDED(mutex_);
  // True if the newest "hold" notices within 30 s that its caller has gone.
  bool HeldCallIsCancelled() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseHeld() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Held {
    inference::ClassifyCall call;
    std::function<void(absl::StatusOr<inference::Classification>)> done;
  };
  absl::StatusOr<inference::Classification> Answer(const inference::ClassifyCall& call);

  registry::Registry* const registry_;
  absl::Mutex mutex_;
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::testing
