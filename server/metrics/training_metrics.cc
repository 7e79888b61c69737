#include "server/metrics/training_metrics.h"

#include <variant>

#include "absl/strings/match.h"
#include "server/metrics/buckets.h"

namespace graft::metrics {
namespace {

constexpr char kWorkerDied[] = "worker_died", kOutOfMemory[] = "out_of_memory", kResumed[] = "resumed";

// What an epoch trains, of a closed set.
std::string PhaseLabel(const jobs::EpochDone& epoch) {
  if (absl::StartsWith(epoch.phase, "blocks:")) return "blocks";
  return epoch.phase == "all" ? "all" : "head";
}

prometheus::Family<prometheus::Histogram>& HistogramFamily(prometheus::Registry& registry, const char* name,
                                                           const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Counter>& CounterFamily(prometheus::Registry& registry, const char* name,
                                                       const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

}  // namespace

TrainingMetrics::TrainingMetrics(prometheus::Registry& registry)
    : queue_wait_(HistogramFamily(registry, "graft_job_queue_wait_seconds",
                                  "From a job's submission to when a worker took it first.")
                      .Add({}, JobBuckets())),
      phases_(HistogramFamily(registry, "graft_job_phase_seconds", "Time of a job that succeeded, by phase.")),
      epochs_(HistogramFamily(registry, "graft_training_epoch_seconds", "Time of an epoch, by what it trained.")),
      checkpoints_(HistogramFamily(registry, "graft_training_checkpoint_seconds",
                                   "Time to make the checkpoint of an epoch durable.")
                       .Add({}, RequestBuckets())),
      photos_(CounterFamily(registry, "graft_feature_cache_photos_total",
                            "Photos whose features were asked for, by whether the cache had them.")),
      restarts_(CounterFamily(registry, "graft_job_restarts_total", "Times that a job was begun anew, by why.")),
      leases_lost_(CounterFamily(registry, "graft_job_leases_lost_total", "Jobs that went to another worker meanwhile.")
                       .Add({})) {
  // What appears with its first count has no increase to see.
  for (const char* phase : {"prepare", "train", "evaluate", "publish", "total"}) {
    phases_.Add({{"phase", phase}}, JobBuckets());
  }
  for (const char* phase : {"head", "blocks", "all"}) epochs_.Add({{"phase", phase}}, JobBuckets());
  for (const char* result : {"hit", "miss"}) photos_.Add({{"result", result}});
  for (const char* why : {kWorkerDied, kOutOfMemory, kResumed}) restarts_.Add({{"class", why}});
}

void TrainingMetrics::Began(const jobs::Claim& claim) {
  if (claim.lease.attempt == 1) {
    queue_wait_.Observe(absl::ToDoubleSeconds(claim.job.start_time - claim.job.create_time));
  } else {
    restarts_.Add({{"class", claim.after_death ? kWorkerDied : kResumed}}).Increment();
  }
  absl::MutexLock lock(&mutex_);
  running_ = Running{.backbone = claim.job.spec.backbone};
}

void TrainingMetrics::Ended(const jobs::Job& job) {
  Forget();
  if (job.state != jobs::State::kSucceeded || !job.result) return;
  for (const auto& [phase, seconds] : job.result->phase_seconds) {
    phases_.Add({{"phase", phase}}, JobBuckets()).Observe(seconds);
  }
}

void TrainingMetrics::LostLease() {
  Forget();
  leases_lost_.Increment();
}

void TrainingMetrics::Forget() {
  absl::MutexLock lock(&mutex_);
  running_.reset();
}

template <typename Epoch>
void TrainingMetrics::Learned(const Epoch& epoch) {
  running_->train_loss = epoch.train_loss;
  running_->train_accuracy = epoch.train_accuracy;
  running_->validation_loss = epoch.validation_loss;
  running_->validation_accuracy = epoch.validation_accuracy;
}

void TrainingMetrics::Appended(const jobs::EventBody& body) {
  if (std::holds_alternative<jobs::MemoryReduced>(body)) restarts_.Add({{"class", kOutOfMemory}}).Increment();
  absl::MutexLock lock(&mutex_);
  if (!running_) return;
  if (const auto* progress = std::get_if<jobs::FeatureProgress>(&body)) {
    running_->images_per_second["features"] = progress->images_per_second;
  } else if (const auto* trial = std::get_if<jobs::TrialDone>(&body)) {
    Learned(trial->trial);
  } else if (const auto* epoch = std::get_if<jobs::EpochDone>(&body)) {
    const std::string phase = PhaseLabel(*epoch);
    epochs_.Add({{"phase", phase}}, JobBuckets()).Observe(epoch->seconds);
    Learned(*epoch);
    running_->images_per_second[phase] = epoch->images_per_second;
  }
}

void TrainingMetrics::FeaturesAtHand(int computed, int from_cache) {
  photos_.Add({{"result", "miss"}}).Increment(computed);
  photos_.Add({{"result", "hit"}}).Increment(from_cache);
}

void TrainingMetrics::CheckpointWritten(absl::Duration duration) {
  checkpoints_.Observe(absl::ToDoubleSeconds(duration));
}

void TrainingMetrics::WaitedForPhotos(double share) {
  absl::MutexLock lock(&mutex_);
  if (running_) running_->stall_ratio = share;
}

Families TrainingMetrics::Collect() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Sample> losses, accuracies, rates, stalls;
  if (running_) {
    const auto add = [&](std::vector<Sample>& samples, const std::optional<double>& value, const char* split) {
      if (value) samples.push_back({*value, {{"backbone", running_->backbone}, {"split", split}}});
    };
    add(losses, running_->train_loss, "train");
    add(losses, running_->validation_loss, "validation");
    add(accuracies, running_->train_accuracy, "train");
    add(accuracies, running_->validation_accuracy, "validation");
    for (const auto& [phase, rate] : running_->images_per_second) {
      rates.push_back({rate, {{"backbone", running_->backbone}, {"phase", phase}}});
    }
    if (running_->stall_ratio) stalls.push_back({*running_->stall_ratio, {{"backbone", running_->backbone}}});
  }
  return {Gauge("graft_worker_busy", "1 while the worker runs a job.", {{running_ ? 1.0 : 0.0}}),
          Gauge("graft_training_loss", "Of the running job's newest epoch or trial.", losses),
          Gauge("graft_training_accuracy", "Of the running job's newest epoch or trial, 0 to 1.", accuracies),
          Gauge("graft_training_images_per_second", "Of the running job, in each of its phases lately.", rates),
          Gauge("graft_training_data_stall_ratio", "Share of the newest epoch spent waiting for photos.", stalls)};
}

}  // namespace graft::metrics
