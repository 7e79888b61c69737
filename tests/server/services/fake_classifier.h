// A classifier without a network: what it answers depends on the bytes alone.
//
//   over 10 MiB   InvalidArgument: too large
//   "broken ..."  InvalidArgument: cannot be decoded
//   "full ..."    RetryLater(ResourceExhausted)
//   "hold ..."    nothing until ReleaseHeld, then as for any other; RetryLater at once when there is no room
//   "wide ..."    one label of 256 KiB
//   any other     the labels "cat" (0.75) and "dog" (0.25), cut to top_k; all of one forward pass
// A model that the registry lacks is NotFound.
#pragma once

#include <deque>
#include <limits>
#include <set>
#include <string>
#include <vector>

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
  absl::Status Unload(const std::string& model) override;
  void Forget(const std::string& model, int number) override;
  int loaded_trunks() const override { return 1; }
  // Of the models that were asked for and not unloaded since.
  inference::ClassifierStats stats() const override ABSL_LOCKS_EXCLUDED(mutex_);

  // The newest call, held or not.
  inference::ClassifyCall LastCall() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What Unload was asked, in order.
  std::vector<std::string> unloaded() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What Forget was told, as "model:number".
  std::vector<std::string> forgotten() const ABSL_LOCKS_EXCLUDED(mutex_);
  // As if these were in memory, and no others.
  void SetLoaded(std::set<std::string> models) ABSL_LOCKS_EXCLUDED(mutex_);
  // What every later Load ends with.
  void FailLoads(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Room for this many "hold"s at a time; without limit at first.
  void LimitRoom(int holds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits, at most 30 s, until `count` "hold"s are here, or have been refused. False if they do not come.
  bool AwaitHeld(int count = 1) ABSL_LOCKS_EXCLUDED(mutex_);
  bool AwaitRefused(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  int most_held() const ABSL_LOCKS_EXCLUDED(mutex_);  // at a time
  int calls() const ABSL_LOCKS_EXCLUDED(mutex_);
  // True if the newest "hold" notices within 30 s that its caller has gone.
  bool HeldCallIsCancelled() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseHeld() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Done = std::function<void(absl::StatusOr<inference::Classification>)>;
  struct Held {
    inference::ClassifyCall call;
    Done done;
  };
  // True if the call has been dealt with: it is one to hold.
  bool Hold(inference::ClassifyCall& call, Done& done) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<inference::Classification> Answer(const inference::ClassifyCall& call);

  registry::Registry* const registry_;
  mutable absl::Mutex mutex_;
  std::set<std::string> models_ ABSL_GUARDED_BY(mutex_);
  inference::ClassifyCall last_ ABSL_GUARDED_BY(mutex_);
  absl::Status load_failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> unloaded_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> forgotten_ ABSL_GUARDED_BY(mutex_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
  size_t room_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<size_t>::max();
  size_t most_held_ ABSL_GUARDED_BY(mutex_) = 0;
  int refused_ ABSL_GUARDED_BY(mutex_) = 0;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace graft::testing
