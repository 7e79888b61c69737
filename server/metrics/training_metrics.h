// What a worker does with its jobs.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/workflow/job_observer.h"
#include "server/metrics/sampled.h"

namespace graft::metrics {

// Counters and histograms are in the registry, which outlives it; Collect adds what is true of the job under way alone:
// its series end with it. Thread-safe.
class TrainingMetrics final : public workflow::JobObserver, public prometheus::Collectable {
 public:
  explicit TrainingMetrics(prometheus::Registry& registry);

  void Began(const jobs::Claim& claim) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended(const jobs::Job& job) override ABSL_LOCKS_EXCLUDED(mutex_);
  void LostLease() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Appended(const jobs::EventBody& body) override ABSL_LOCKS_EXCLUDED(mutex_);
  void FeaturesAtHand(int computed, int from_cache) override;
  void CheckpointWritten(absl::Duration duration) override;
  void WaitedForPhotos(double share) override ABSL_LOCKS_EXCLUDED(mutex_);

  Families Collect() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What the events of the job under way said last.
  struct Running {
    std::string backbone;
    // Of the newest epoch or trial.
    std::optional<double> train_loss, train_accuracy, validation_loss, validation_accuracy;
    std::map<std::string, double> images_per_second;  // by phase
    std::optional<double> stall_ratio;
  };

  template <typename Epoch>
  void Learned(const Epoch& epoch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);

  prometheus::Histogram& queue_wait_;
  prometheus::Family<prometheus::Histogram>& phases_;
  prometheus::Family<prometheus::Histogram>& epochs_;
  prometheus::Histogram& checkpoints_;
  prometheus::Family<prometheus::Counter>& photos_;
  prometheus::Family<prometheus::Counter>& restarts_;
  prometheus::Counter& leases_lost_;

  mutable absl::Mutex mutex_;
  std::optional<Running> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::metrics
