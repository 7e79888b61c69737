#include "core/workflow/train_run.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/dataset/split.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/jobs/train_spec.h"
#include "core/registry/manifest.h"
#include "core/train/divergence.h"
#include "core/workflow/failure.h"
#include "core/workflow/fine_tuning.h"
#include "core/workflow/head_choice.h"
#include "core/workflow/photo_phases.h"
#include "core/workflow/precision.h"
#include "core/workflow/start_version.h"

namespace graft::workflow {
namespace {

using engine::Precision;
using jobs::FailureType;
using jobs::State;

constexpr char kAutoPrecision[] = "auto";
// Proto JobResult.stop_reason; Attempt has the others.
constexpr char kCompleted[] = "completed", kEarlyStopped[] = "early_stopped";
constexpr Precision kTriedFirst = Precision::kBf16;  // of "auto"

constexpr int64_t kMaxBackboneBytes = int64_t{4} << 30;  // as of a weights file

// The head's recipe: its phase's, where the spec has phases.
jobs::Phase HeadPhase(const jobs::TrainSpec& spec) {
  if (!spec.phases.empty()) return spec.phases.front();
  return {.trainable = "head",
          .epochs = spec.epochs,
          .patience = spec.patience,
          .batch_size = spec.batch_size,
          .learning_rate = spec.learning_rate,
          .weight_decay = spec.weight_decay};
}

// What a solver has no use for, or a sweep sets, keeps its default.
train::HeadOptions HeadOptionsOf(const jobs::TrainSpec& spec, const TrainInputs& inputs) {
  const jobs::Phase recipe = HeadPhase(spec);
  train::HeadOptions options{
      .classes = inputs.classes(), .seed = *spec.seed, .device = spec.device, .start = inputs.start_head};
  options.epochs = recipe.epochs.value_or(options.epochs);
  options.patience = recipe.patience.value_or(options.patience);
  options.batch_size = recipe.batch_size.value_or(options.batch_size);
  options.learning_rate = recipe.learning_rate.value_or(options.learning_rate);
  options.weight_decay = recipe.weight_decay.value_or(options.weight_decay);
  return options;
}

absl::Status CheckResolved(const jobs::TrainSpec& spec) {
  const jobs::Phase head = HeadPhase(spec);
  const bool has_steps = head.epochs && head.patience && head.batch_size;
  const bool solver_resolved = jobs::SolvesHead(spec) || (has_steps && (head.learning_rate || !spec.sweep.empty()));
  const bool resolved = solver_resolved && spec.train_fraction && spec.validation_fraction && spec.seed;
  return resolved ? absl::OkStatus() : absl::InvalidArgumentError("the job's spec is not resolved: submit it again");
}

absl::Status CheckDevice(const std::string& device) {
  // Asking loads LibTorch's CUDA library, which training on a GPU needs even when no engine is loaded.
  if (device == kCpuDevice || absl::c_linear_search(engine::AvailableDevices(), device)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("this machine has no device '", device, "'"));
}

}  // namespace

absl::Status TrainRun::Run() {
  phase_start_ = absl::Now();
  phase_seconds_["train"] = log_.epoch_seconds() + log_.given_up_seconds();  // of earlier attempts
  RETURN_IF_ERROR(Enter(State::kPreparing));
  ASSIGN_OR_RETURN(TrainInputs inputs, ResolveInputs());
  ASSIGN_OR_RETURN(Candidate candidate, BeginsWithHead(spec_) ? Train(inputs, inputs.precision) : Untrained(inputs));
  // A head whose training was cut short is published as it is; the report says what its precision costs.
  if (!PhotoPhases(spec_).empty() && finished_early_.empty()) {
    ASSIGN_OR_RETURN(finished_early_, RunPhotoPhases(attempt_, features_, inputs, candidate));
    EndPhase("train");
  } else if (MustChoosePrecision() && finished_early_.empty()) {
    ASSIGN_OR_RETURN(const Precision chosen, ChoosePrecision(inputs, candidate));
    if (chosen != candidate.precision) {
      ASSIGN_OR_RETURN(candidate, Train(inputs, chosen));
    }
  }

  // From here on the head is frozen; the test split is read for the first time.
  RETURN_IF_ERROR(Enter(State::kEvaluating));
  if (features_.uses_own_cache() || candidate.discarded_validation_accuracy) {
    RETURN_IF_ERROR(PrepareEvaluation(inputs, candidate));
  }
  ASSIGN_OR_RETURN(Evaluation evaluation, Evaluate(inputs, candidate));
  evaluation.result.stop_reason = StopReason(candidate);
  EndPhase("evaluate");

  RETURN_IF_ERROR(Enter(State::kPublishing));
  return Publish(inputs, candidate, std::move(evaluation));
}

absl::Status TrainRun::Enter(State state) {
  if (attempt_.Stopped()) return absl::CancelledError(absl::StrCat("stopped before ", jobs::NameOf(state)));
  return log_.Enter(state);
}

absl::StatusOr<TrainInputs> TrainRun::ResolveInputs() {
  TrainInputs inputs;
  RETURN_IF_ERROR(BlameOn(FailureType::kConfig, CheckResolved(spec_)));
  RETURN_IF_ERROR(BlameOn(FailureType::kDevice, CheckDevice(spec_.device)));
  const absl::StatusOr<Precision> precision = FirstPrecision();
  if (!precision.ok()) return BlameOn(FailureType::kDevice, precision.status());
  inputs.precision = *precision;
  RETURN_IF_ERROR(BlameOn(FailureType::kData, OpenDataset(inputs)));
  RETURN_IF_ERROR(BlameOn(FailureType::kConfig, FindNetwork(inputs)));
  return inputs;
}

absl::Status TrainRun::FindNetwork(TrainInputs& inputs) {
  ASSIGN_OR_RETURN(inputs.backbone, network::FindBackbone(spec_.backbone));
  if (spec_.init_from.empty()) {
    ASSIGN_OR_RETURN(inputs.weights, weights::CurrentWeights(resources_.weights_root, spec_.backbone));
  } else {
    ASSIGN_OR_RETURN(const StartVersion start,
                     OpenStartVersion(*resources_.registry, resources_.weights_root, spec_.init_from));
    inputs.weights = start.weights;
    inputs.own_backbone = start.own_backbone;
    inputs.start_head = HeadFor(inputs.version.labels, start, *spec_.seed);
  }
  inputs.base_sha256 = inputs.weights.sha256;
  inputs.preprocess = {.height = inputs.backbone.input_size,
                       .width = inputs.backbone.input_size,
                       .decode = spec_.decode.empty() ? network::kScaledDecode : spec_.decode};
  return absl::OkStatus();
}

// What the job is to be served in, as far as that is known before there is a head.
absl::StatusOr<Precision> TrainRun::FirstPrecision() const {
  const bool has_bf16 = resources_.engines->Supports(spec_.device, Precision::kBf16);
  if (spec_.precision == engine::NameOf(Precision::kBf16) && !has_bf16) {
    return absl::FailedPreconditionError(
        absl::StrCat("spec.precision: device '", spec_.device, "' has no bf16; use \"auto\" or \"f32\""));
  }
  const std::string wanted = log_.precision_chosen() ? log_.precision_chosen()->precision : spec_.precision;
  const bool bf16 = wanted == engine::NameOf(Precision::kBf16) || (wanted == kAutoPrecision && AutoTriesBf16());
  return bf16 ? Precision::kBf16 : Precision::kF32;
}

absl::Status TrainRun::OpenDataset(TrainInputs& inputs) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("spec.dataset", "datasets", spec_.dataset));
  ASSIGN_OR_RETURN(inputs.version, resources_.datasets->Find(reference));
  ASSIGN_OR_RETURN(inputs.examples, resources_.datasets->Examples(inputs.version));
  ASSIGN_OR_RETURN(inputs.split, resources_.datasets->OpenSplit(
                                     inputs.version, *spec_.train_fraction, *spec_.validation_fraction, *spec_.seed,
                                     {.count = spec_.folds.value_or(0), .test = spec_.fold.value_or(0)}));
  return absl::OkStatus();
}

absl::StatusOr<Candidate> TrainRun::Train(const TrainInputs& inputs, Precision precision) {
  Candidate candidate{.precision = precision};
  ASSIGN_OR_RETURN(candidate.splits, features_.OfSplits(inputs, precision, phase_start_));
  EndPhase("prepare");
  RETURN_IF_ERROR(Enter(State::kTraining));
  RETURN_IF_ERROR(FindHead(inputs, candidate));
  EndPhase("train");
  return candidate;
}

absl::Status TrainRun::FindHead(const TrainInputs& inputs, Candidate& candidate) {
  if (!HasTrials(spec_)) {
    ASSIGN_OR_RETURN(candidate.trained, TrainHead(inputs, candidate.splits));
    return absl::OkStatus();
  }
  absl::StatusOr<ChosenHead> chosen = ChooseHead(attempt_, HeadOptionsOf(spec_, inputs), candidate.splits);
  if (train::IsDiverged(chosen.status())) return BlameOn(FailureType::kConfig, chosen.status());
  if (!chosen.ok()) return BlameComputing(spec_.device, chosen.status());
  if (chosen->finished_early) finished_early_ = attempt_.ReasonToFinish();
  candidate.trained = std::move(chosen->trained);
  candidate.trials = std::move(chosen->trials);
  return absl::OkStatus();
}

absl::StatusOr<train::TrainedHead> TrainRun::TrainHead(const TrainInputs& inputs, const Splits& splits) {
  RETURN_IF_ERROR(CreateFolders(attempt_.Folder()));
  const jobs::Phase recipe = HeadPhase(spec_);
  const train::HeadOptions options = HeadOptionsOf(spec_, inputs);
  const std::string checkpoint = attempt_.Folder() + "/checkpoint";
  absl::StatusOr<train::TrainedHead> trained = train::TrainHead(
      splits.train, splits.validation, options, checkpoint, log_.epochs_done(),
      [&](const train::EpochMetrics& metrics) {
        return attempt_.ReportEpoch(metrics, recipe.trainable, jobs::TotalEpochs(spec_),
                                    *recipe.epochs - metrics.epoch);
      },
      [this] { return attempt_.Interrupted(); });
  if (absl::IsCancelled(trained.status()) && !attempt_.Stopped()) {
    finished_early_ = attempt_.ReasonToFinish();
    trained = train::BestHeadSoFar(splits.train, splits.validation, options, checkpoint);
  }
  if (train::IsDiverged(trained.status())) return BlameOn(FailureType::kConfig, trained.status());
  if (!trained.ok()) return BlameComputing(spec_.device, trained.status());
  return trained;
}

absl::StatusOr<Candidate> TrainRun::Untrained(const TrainInputs& inputs) {
  RETURN_IF_ERROR(Enter(State::kTraining));
  const auto initial = [&] {
    return train::InitialHead(*spec_.seed, inputs.backbone.feature_dimension, inputs.classes());
  };
  return Candidate{.precision = inputs.precision,
                   .trained = {.head = inputs.start_head ? *inputs.start_head : initial()}};
}

absl::Status TrainRun::PrepareEvaluation(const TrainInputs& inputs, Candidate& candidate) {
  if (AutoTriesBf16()) {
    ASSIGN_OR_RETURN(const jobs::PrecisionReport measured, Measure(inputs, candidate));
    candidate.precision = ChooseBy(measured);
  }
  ASSIGN_OR_RETURN(candidate.splits.train, features_.At(inputs, candidate.precision, inputs.split.train));
  ASSIGN_OR_RETURN(candidate.splits.validation, features_.At(inputs, candidate.precision, inputs.split.validation));
  ASSIGN_OR_RETURN(candidate.splits.test, features_.At(inputs, candidate.precision, inputs.split.test));
  return absl::OkStatus();
}

std::string TrainRun::StopReason(const Candidate& candidate) const {
  if (!finished_early_.empty()) return finished_early_;
  int epochs = static_cast<int>(candidate.trained.history.size());
  for (const jobs::Trial& trial : candidate.trials) {
    if (trial.best) epochs += trial.epochs;  // none of a solver's; a sweep has no others
  }
  return epochs < jobs::TotalEpochs(spec_) ? kEarlyStopped : kCompleted;
}

bool TrainRun::AutoTriesBf16() const {
  return spec_.precision == kAutoPrecision && resources_.engines->IsBf16Faster(spec_.device);
}

bool TrainRun::MustChoosePrecision() const {
  return AutoTriesBf16() && !log_.precision_chosen();
}

absl::StatusOr<Precision> TrainRun::ChoosePrecision(const TrainInputs& inputs, const Candidate& candidate) {
  ASSIGN_OR_RETURN(jobs::PrecisionReport report, Measure(inputs, candidate));
  const Precision chosen = ChooseBy(report);
  report.precision = std::string(engine::NameOf(chosen));
  RETURN_IF_ERROR(log_.Append(jobs::PrecisionChosen{.report = std::move(report)}));
  return chosen;
}

absl::StatusOr<jobs::PrecisionReport> TrainRun::Measure(const TrainInputs& inputs, const Candidate& candidate) {
  // Passes in the other precision cost a fifth of a short job; they are not made where nobody asked for a precision and
  // the other would not be taken.
  const bool with_bf16 = spec_.precision == kAutoPrecision
                             ? AutoTriesBf16()
                             : resources_.engines->Supports(spec_.device, Precision::kBf16);
  return MeasurePrecision(inputs, candidate, spec_.device, with_bf16, [&](Precision precision, const Examples& photos) {
    return features_.Get(inputs, precision, photos);
  });
}

absl::StatusOr<jobs::PrecisionReport> TrainRun::PrecisionOf(const TrainInputs& inputs, const Candidate& candidate) {
  const std::optional<jobs::PrecisionReport>& chosen = log_.precision_chosen();
  // What was measured to choose by is this very head, unless the choice made another.
  if (chosen && spec_.phases.empty() && candidate.precision == kTriedFirst &&
      chosen->precision == engine::NameOf(kTriedFirst))
    return *chosen;
  return Measure(inputs, candidate);
}

absl::StatusOr<Evaluation> TrainRun::Evaluate(const TrainInputs& inputs, const Candidate& candidate) {
  ASSIGN_OR_RETURN(Evaluation evaluation, EvaluateCandidate(inputs, candidate, spec_.device));
  ASSIGN_OR_RETURN(evaluation.result.precision, PrecisionOf(inputs, candidate));
  ASSIGN_OR_RETURN(const int64_t of_backbone, TrainedBackboneParameters(spec_.backbone, inputs.trained));
  evaluation.result.trainable_parameters += of_backbone;
  evaluation.result.trials = candidate.trials;
  evaluation.result.discarded_validation_accuracy = candidate.discarded_validation_accuracy;
  if (!log_.features_ready()) return evaluation;  // no phase on cached features
  evaluation.result.images_computed = log_.features_ready()->images_computed;
  evaluation.result.images_from_cache = log_.features_ready()->images_from_cache;
  evaluation.result.loader_images_per_second = log_.features_ready()->loader_images_per_second;
  evaluation.result.engine_images_per_second = log_.features_ready()->engine_images_per_second;
  return evaluation;
}

absl::Status TrainRun::Publish(const TrainInputs& inputs, const Candidate& candidate, Evaluation evaluation) {
  jobs::Result& result = evaluation.result;
  const std::string head = train::SerializeHead(candidate.trained.head);
  result.weights_sha256 = Sha256Hex(head);
  result.phase_seconds = PhaseSeconds();
  ASSIGN_OR_RETURN(const std::string manifest, Manifest(inputs, candidate.precision, result));
  registry::VersionFiles files{.head = head, .manifest = manifest, .evaluation = registry::ToJson(evaluation.record)};
  if (inputs.own_backbone) {
    ASSIGN_OR_RETURN(files.backbone, ReadFile(inputs.weights.path, kMaxBackboneBytes));
  }
  ASSIGN_OR_RETURN(
      const registry::Staged staged,
      resources_.registry->Stage(spec_.model, spec_.backbone, inputs.weights.sha256, attempt_.lease().job_id, files));
  EndPhase("publish");
  result.phase_seconds = PhaseSeconds();

  // The version exists exactly if its job SUCCEEDED.
  return resources_.database->Write("publish model version", [&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const int number, resources_.registry->Publish(transaction, staged, spec_.alias));
    result.model_version = VersionName("models", spec_.model, number);
    return resources_.jobs->Append(transaction, attempt_.lease(),
                                   {jobs::StateChanged{.state = State::kSucceeded, .result = result}});
  });
}

absl::StatusOr<std::string> TrainRun::Manifest(const TrainInputs& inputs, Precision precision,
                                               const jobs::Result& result) const {
  registry::Manifest manifest{
      .model = spec_.model,
      .backbone = spec_.backbone,
      .backbone_sha256 = inputs.weights.sha256,
      .trainable = inputs.trained,
      .base_backbone_sha256 = inputs.base_sha256,
      .init_from = spec_.init_from,
      .labels = inputs.version.labels,
      .preprocess = {.height = inputs.preprocess.height,
                     .width = inputs.preprocess.width,
                     .resize = inputs.preprocess.resize,
                     .decode = inputs.preprocess.decode,
                     .normalization = std::string(network::NameOf(inputs.backbone.normalization))},
      .precision = std::string(engine::NameOf(precision)),
      .temperature = result.calibration->temperature,
      .dataset_version = VersionName("datasets", inputs.version.dataset, inputs.version.number),
      .dataset_digest = inputs.version.digest,
      .split_hash = inputs.split.hash,
      .test_split_hash = dataset::HashOfTestSplit(inputs.examples, inputs.version.labels, inputs.split),
      .job = absl::StrCat("jobs/", attempt_.lease().job_id),
      .spec_json = jobs::ToJson(spec_),
      .result_json = jobs::ToJson(result)};
  for (const auto& [library, version] : engine::LibraryVersions()) manifest.library_versions[library] = version;
  manifest.library_versions["engine"] = resources_.engines->IdOf(spec_.device, precision);
  return registry::ToJson(manifest);
}

void TrainRun::EndPhase(const std::string& name) {
  const absl::Time now = absl::Now();
  phase_seconds_[name] += absl::ToDoubleSeconds(now - phase_start_);
  phase_start_ = now;
}

std::map<std::string, double> TrainRun::PhaseSeconds() const {
  std::map<std::string, double> seconds = phase_seconds_;
  for (const auto& [name, phase] : phase_seconds_) seconds["total"] += phase;
  return seconds;
}

}  // namespace graft::workflow
