#include "core/workflow/attempt.h"

#include "absl/strings/str_cat.h"

namespace graft::workflow {
namespace {

// Proto JobResult.stop_reason.
constexpr char kTimeLimit[] = "time_limit", kCancelledKeepBest[] = "cancelled_keep_best";

}  // namespace

std::string Attempt::Folder() const {
  return absl::StrCat(resources_.jobs_root, "/", lease_.job_id);
}

bool Attempt::TimeIsUp() const {
  return spec_.max_seconds && worked_before_ + (absl::Now() - start_) >= absl::Seconds(*spec_.max_seconds);
}

std::string Attempt::ReasonToFinish() const {
  if (log_.epochs_done() == 0 && log_.trials_done() == 0) return "";
  if (finish_()) return kCancelledKeepBest;
  return TimeIsUp() ? kTimeLimit : "";
}

absl::Status Attempt::ReportEpoch(const train::EpochMetrics& metrics, const std::string& phase, int epochs,
                                  int left) const {
  if (resources_.observer != nullptr && metrics.checkpoint_seconds > 0) {
    resources_.observer->CheckpointWritten(absl::Seconds(metrics.checkpoint_seconds));
  }
  return log_.Append(jobs::EpochDone{.epoch = metrics.epoch,
                                     .epochs = epochs,
                                     .train_loss = metrics.train_loss,
                                     .train_accuracy = metrics.train_accuracy,
                                     .validation_loss = metrics.validation_loss,
                                     .validation_accuracy = metrics.validation_accuracy,
                                     .learning_rate = metrics.learning_rate,
                                     .seconds = metrics.seconds,
                                     .images_per_second = metrics.images_per_second,
                                     .seconds_left = metrics.seconds * left,
                                     .best = metrics.best,
                                     .phase = phase});
}

}  // namespace graft::workflow
