#include "core/workflow/photo_phases.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/train/divergence.h"
#include "core/workflow/failure.h"
#include "core/workflow/fine_tuning.h"
#include "core/workflow/start_version.h"

namespace graft::workflow {
namespace {

using engine::Precision;
using jobs::FailureType;

// Both trainings as one, whose result is still the first's.
void AppendHistory(const train::FineTuned& second, train::TrainedHead& first) {
  const int before = static_cast<int>(first.history.size());
  for (train::EpochMetrics metrics : second.history) {
    metrics.epoch += before;
    first.history.push_back(metrics);
  }
}

const train::EpochMetrics& BestOf(const train::FineTuned& tuned) {
  return tuned.history[static_cast<size_t>(tuned.best_epoch - 1)];
}

// The head before the phases stays: what they made is worse on the validation split. By accuracy, since the losses of
// label smoothing, mixup and distillation leave correct answers with less confidence.
absl::Status KeepHead(const train::FineTuned& tuned, JobLog& log, Candidate& candidate) {
  const double discarded = BestOf(tuned).validation_accuracy, kept = candidate.trained.validation_accuracy;
  AppendHistory(tuned, candidate.trained);
  candidate.discarded_validation_accuracy = discarded;
  if (log.HasReached(jobs::State::kEvaluating)) return absl::OkStatus();  // an earlier attempt has said so
  return log.Append(jobs::Message{absl::StrCat("the phases on photos reached a validation accuracy of ", discarded,
                                               ", the head before them had ", kept,
                                               ": the head is published, on the backbone as it was")});
}

// The teacher's probabilities [train photos, classes], or nothing without one. Its features are kept like any other's.
absl::StatusOr<std::vector<float>> AskTeacher(const Attempt& attempt, JobFeatures& features,
                                              const TrainInputs& inputs) {
  const jobs::TrainSpec& spec = attempt.spec();
  if (spec.teacher.empty()) return std::vector<float>();
  const Resources& resources = attempt.resources();
  absl::StatusOr<StartVersion> teacher = OpenStartVersion(*resources.registry, resources.weights_root, spec.teacher);
  if (!teacher.ok()) return BlameOn(FailureType::kConfig, teacher.status());
  TrainInputs asked = inputs;
  asked.weights = teacher->weights;
  ASSIGN_OR_RETURN(asked.backbone, network::FindBackbone(teacher->backbone));
  ASSIGN_OR_RETURN(const train::LabelledFeatures photos, features.At(asked, inputs.precision, inputs.split.train));
  const absl::StatusOr<std::vector<float>> probabilities = train::Predict(teacher->head, photos, spec.device);
  if (!probabilities.ok()) return BlameComputing(spec.device, probabilities.status());
  return InOrderOf(inputs.version.labels, teacher->labels, *probabilities);
}

// In the job's folder until it is published: the engine reads it from there.
absl::Status TakeBackbone(const Attempt& attempt, const std::string& safetensors, TrainInputs& inputs) {
  const std::string path = attempt.Folder() + "/backbone.safetensors";
  RETURN_IF_ERROR(WriteFileDurably(path, safetensors));
  inputs.weights = {.backbone = attempt.spec().backbone, .sha256 = Sha256Hex(safetensors), .path = path};
  inputs.own_backbone = true;
  inputs.trained = TrainedPart(attempt.spec());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> RunPhotoPhases(const Attempt& attempt, JobFeatures& features, TrainInputs& inputs,
                                           Candidate& candidate) {
  const jobs::TrainSpec& spec = attempt.spec();
  JobLog& log = attempt.log();
  RETURN_IF_ERROR(CreateFolders(attempt.Folder()));
  ASSIGN_OR_RETURN(std::vector<float> teacher, AskTeacher(attempt, features, inputs));
  const int before = static_cast<int>(candidate.trained.history.size());
  PhaseProgress progress(PhotoPhases(spec));
  const auto report = [&](train::EpochMetrics metrics) -> absl::Status {
    progress.Count(metrics);
    metrics.epoch += before;
    if (metrics.epoch <= log.epochs_done()) return absl::OkStatus();
    const int left = progress.epochs_left();
    return attempt.ReportEpoch(metrics, progress.phase().trainable, metrics.epoch + left, left);
  };
  absl::StatusOr<std::unique_ptr<PhotoTraining>> training =
      PhotoTraining::Open({.spec = spec,
                           .inputs = inputs,
                           .head = candidate.trained.head,
                           .teacher = std::move(teacher),
                           .bf16 = candidate.precision == Precision::kBf16,
                           .memory_divisor = log.memory_divisor(),
                           .blobs = attempt.resources().blobs,
                           .threads = std::max(1, attempt.resources().threads / 2),
                           .folder = attempt.Folder()});
  if (!training.ok()) return BlameComputing(spec.device, training.status());
  double waited = 0;
  const auto report_with_waits = [&](const train::EpochMetrics& metrics) {
    const double waited_before = std::exchange(waited, (*training)->SecondsWaited());
    JobObserver* const observer = attempt.resources().observer;
    // One of an earlier attempt took its time then.
    if (observer != nullptr && metrics.checkpoint_seconds > 0 && metrics.seconds > 0) {
      observer->WaitedForPhotos(std::min((waited - waited_before) / metrics.seconds, 1.0));
    }
    return report(metrics);
  };
  absl::StatusOr<train::FineTuned> tuned = (*training)->Run(report_with_waits, [&] { return attempt.Interrupted(); });
  std::string finished_early;
  if (absl::IsCancelled(tuned.status()) && !attempt.Stopped()) {
    finished_early = attempt.ReasonToFinish();
    if (log.epochs_done() <= before) return finished_early;  // the head alone is the best so far
    tuned = (*training)->BestSoFar();
  }
  if (train::IsDiverged(tuned.status())) return BlameOn(FailureType::kConfig, tuned.status());
  if (!tuned.ok()) return BlameComputing(spec.device, tuned.status());
  if (BeginsWithHead(spec) && BestOf(*tuned).validation_accuracy < candidate.trained.validation_accuracy) {
    RETURN_IF_ERROR(KeepHead(*tuned, log, candidate));
    return finished_early;
  }
  RETURN_IF_ERROR(TakeBackbone(attempt, tuned->backbone_safetensors, inputs));
  features.UseOwnCache();
  candidate.trained.head = std::move(tuned->head);
  candidate.trained.best_epoch = before + tuned->best_epoch;
  candidate.trained.validation_loss = BestOf(*tuned).validation_loss;
  candidate.trained.validation_accuracy = BestOf(*tuned).validation_accuracy;
  AppendHistory(*tuned, candidate.trained);
  return finished_early;
}

}  // namespace graft::workflow
