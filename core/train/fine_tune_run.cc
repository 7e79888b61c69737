#include "core/train/fine_tune_run.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/train/divergence.h"
#include "core/train/head_tensors.h"
#include "core/train/random_order.h"

namespace graft::train {
namespace {

constexpr int64_t kPrecisionCheckImages = 128;
// bf16 may raise the loss before training by this much; it has 8 bits of mantissa, and wrong kernels miss by far more.
constexpr double kPrecisionRelativeLoss = 0.05, kPrecisionAbsoluteLoss = 0.01;

std::vector<int64_t> Numbered(int count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Thrown through LibTorch, between two blocks.
class StopAsked : public std::exception {
 public:
  const char* what() const noexcept override { return "asked to stop"; }
};

// Adds the time it lives to a number of seconds.
class TimeKeeper {
 public:
  explicit TimeKeeper(double& seconds) : seconds_(seconds) {}
  ~TimeKeeper() { seconds_ += stopwatch_.seconds(); }
  TimeKeeper(const TimeKeeper&) = delete;
  TimeKeeper& operator=(const TimeKeeper&) = delete;

 private:
  double& seconds_;
  const Stopwatch stopwatch_;
};

// While it lives, the weights are their average.
class AveragedWeights {
 public:
  explicit AveragedWeights(WeightAverage* average) : average_(average) {
    if (average_ != nullptr) average_->Swap();
  }
  ~AveragedWeights() {
    if (average_ != nullptr) average_->Swap();
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  WeightAverage* const average_;
};

void CopyValues(const TensorsByName& from, const TensorsByName& to) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : to) tensor.copy_(from.at(name));
}

}  // namespace

FineTuneRun::FineTuneRun(const FineTuneInputs& inputs, const FineTuneOptions& options,
                         std::unique_ptr<TrainableNetwork> network, const std::string& spill_path,
                         std::function<bool()> stop)
    : inputs_(inputs),
      options_(options),
      network_(std::move(network)),
      stop_(std::move(stop)),
      changing_(network_->ChangedBy(options.phases)),
      loss_(options.loss, network_->classes(), network_->device()),
      mix_{.mixup_alpha = options.mixup_alpha, .cutmix_alpha = options.cutmix_alpha},
      activations_({.memory_bytes = options.activation_memory_bytes, .disk_bytes = options.activation_disk_bytes},
                   spill_path),
      train_(inputs.train, network_.get(), &activations_, 0),
      validation_(inputs.validation, network_.get(), &activations_, inputs.train->images()) {
  for (const auto& [name, tensor] : changing_) best_[name] = tensor.detach().clone();
  if (!options.stop_within_updates) return;
  network_->CallBetweenBlocks([this] {
    if (stop_()) throw StopAsked();
  });
}

void FineTuneRun::Begin() {
  progress_ = {.bf16 = options_.bf16};
  BeginPhase(0);
}

absl::Status FineTuneRun::Restore(const FineTuneCheckpoint& checkpoint) {
  const int phase = checkpoint.progress.phase;
  if (phase < 0 || phase >= static_cast<int>(options_.phases.size())) {
    return absl::DataLossError(absl::StrCat("checkpoint of phase ", phase));
  }
  progress_ = checkpoint.progress;
  SetUpPhase();
  return FillTensors(checkpoint.file, State());
}

bool FineTuneRun::Finished() const {
  return PhaseIsOver() && progress_.phase + 1 == static_cast<int>(options_.phases.size());
}

bool FineTuneRun::PhaseIsOver() const {
  const int waited = progress_.phase_epochs - progress_.phase_best_epochs;
  return progress_.phase_epochs >= phase().epochs || (phase().patience > 0 && waited >= phase().patience);
}

int64_t FineTuneRun::UpdatesPerEpoch() const {
  return (inputs_.train->images() + phase().batch_size - 1) / phase().batch_size;
}

absl::Status FineTuneRun::RunEpoch() {
  if (PhaseIsOver()) BeginPhase(progress_.phase + 1);
  try {
    ASSIGN_OR_RETURN(const evaluate::Metrics validation, TrainAndValidate());
    return EndEpoch(validation);
  } catch (const StopAsked&) {
    DropUpdate();
    return StoppedHere();
  }
}

void FineTuneRun::DropUpdate() {
  const torch::NoGradGuard no_grad;
  updater_->DropGradients();
  const std::vector<torch::Tensor> moved = network_->MovedStatistics();
  for (size_t i = 0; i < statistics_before_.size(); ++i) moved[i].copy_(statistics_before_[i]);
  statistics_before_.clear();
}

void FineTuneRun::BeginPhase(int phase) {
  if (progress_.best_epoch > 0) CopyValues(best_, changing_);
  progress_ = {.sequence = progress_.sequence,
               .phase = phase,
               .bf16 = progress_.bf16,
               .fell_back_to_f32 = progress_.fell_back_to_f32,
               .best_epoch = progress_.best_epoch,
               .history = std::move(progress_.history)};
  SetUpPhase();
}

void FineTuneRun::SetUpPhase() {
  network_->StartPhase(phase());
  activations_.Clear();  // the boundary is another
  updater_.emplace(network_->Trained(), phase());
  if (options_.ema_decay > 0) average_.emplace(changing_, options_.ema_decay);
}

absl::StatusOr<evaluate::Metrics> FineTuneRun::TrainAndValidate() {
  const TimeKeeper time(progress_.seconds);
  if (progress_.bf16 && !progress_.bf16_checked) RETURN_IF_ERROR(CheckPrecision());
  RETURN_IF_ERROR(TrainEpoch());
  const AveragedWeights averaged(average_ ? &*average_ : nullptr);
  return Validate(Numbered(inputs_.validation->images()), progress_.bf16);
}

absl::Status FineTuneRun::CheckPrecision() {
  std::vector<int64_t> images = Numbered(inputs_.validation->images());
  if (static_cast<int64_t>(images.size()) > kPrecisionCheckImages) {
    std::vector<int64_t> spread;  // a split may be ordered by class
    for (int64_t i = 0; i < kPrecisionCheckImages; ++i) {
      spread.push_back(i * static_cast<int64_t>(images.size()) / kPrecisionCheckImages);
    }
    images = std::move(spread);
  }
  ASSIGN_OR_RETURN(const evaluate::Metrics f32, Validate(images, /*bf16=*/false));
  activations_.Clear();
  ASSIGN_OR_RETURN(const evaluate::Metrics bf16, Validate(images, /*bf16=*/true));
  const bool harmless = bf16.loss <= f32.loss * (1 + kPrecisionRelativeLoss) + kPrecisionAbsoluteLoss;  // false for NaN
  if (!harmless) FallBackToF32();
  progress_.bf16_checked = true;
  return absl::OkStatus();
}

absl::Status FineTuneRun::TrainEpoch() {
  if (progress_.epoch_updates == UpdatesPerEpoch()) return absl::OkStatus();  // stopped while it was validated
  order_ = EpochOrder(options_.seed, epoch(), inputs_.train->images());
  RETURN_IF_ERROR(ReadOn());
  while (progress_.epoch_updates < UpdatesPerEpoch()) {
    if (stop_()) return StoppedHere();
    ASSIGN_OR_RETURN(const Batch batch, NextBatch());
    const PassSums sums = RunPasses(batch);
    if (std::isfinite(sums.loss)) {
      EndUpdate(sums);
    } else if (progress_.bf16) {  // the same update again
      DropUpdate();
      FallBackToF32();
      RETURN_IF_ERROR(ReadOn());
    } else {
      return NonFiniteLoss(epoch(), progress_.epoch_updates + 1);
    }
  }
  return absl::OkStatus();
}

// Makes NextBatch give the update under way's.
absl::Status FineTuneRun::ReadOn() {
  return train_.StartEpoch(epoch(), order_, phase().batch_size, progress_.epoch_updates * phase().batch_size,
                           KeepsActivations(*inputs_.train) && !mix_.enabled(), progress_.bf16);
}

// A GPU is quicker at computing them again in batches than at one image after the other.
bool FineTuneRun::KeepsActivations(const BatchSource& source) const {
  return network_->HasFrozenPart() && !source.varies() && network_->device().is_cpu();
}

absl::StatusOr<FineTuneRun::Batch> FineTuneRun::NextBatch() {
  const int64_t first = progress_.epoch_updates * phase().batch_size;
  const int64_t count = std::min<int64_t>(phase().batch_size, static_cast<int64_t>(order_.size()) - first);
  ASSIGN_OR_RETURN(const SplitBatch read, train_.Next());
  if (static_cast<int64_t>(read.labels.size()) != count) {
    return absl::InternalError(absl::StrCat("expected ", count, " training images, got ", read.labels.size()));
  }
  const torch::Device device = network_->device();
  const torch::Tensor labels = torch::tensor(std::vector<int64_t>(read.labels.begin(), read.labels.end()));
  Batch batch{.images = read.images,
              .boundary = read.boundary,
              .targets = {.classes = torch::eye(network_->classes()).index_select(0, labels).to(device)}};
  if (!inputs_.teacher.empty()) {
    const torch::Tensor rows =
        torch::tensor(std::vector<int64_t>(order_.begin() + first, order_.begin() + first + count));
    const torch::Tensor teacher = torch::from_blob(const_cast<float*>(inputs_.teacher.data()),
                                                   {inputs_.train->images(), network_->classes()}, torch::kFloat32);
    batch.targets.teacher = teacher.index_select(0, rows).to(device);
  }
  return batch;
}

absl::Status FineTuneRun::StoppedHere() const {
  return absl::CancelledError(absl::StrCat("stopped in epoch ", epoch(), " after ", progress_.epoch_updates, " steps"));
}

void FineTuneRun::FallBackToF32() {
  progress_.bf16 = false;
  progress_.fell_back_to_f32 = true;
  activations_.Clear();  // they are bfloat16
}

// The gradients of the mean over the batch, added up pass by pass.
FineTuneRun::PassSums FineTuneRun::RunPasses(const Batch& batch) {
  const int64_t count = batch.targets.classes.size(0);
  statistics_before_.clear();
  for (const torch::Tensor& moved : network_->MovedStatistics()) statistics_before_.push_back(moved.clone());
  const int64_t per_pass = (phase().batch_size + phase().accumulation - 1) / phase().accumulation;
  PassSums sums;
  int pass = 0;
  for (int64_t first = 0; first < count; first += per_pass) {
    const PassSums more = RunPass(batch, pass++, first, std::min(count, first + per_pass));
    sums.loss += more.loss;
    sums.right += more.right;
  }
  return sums;
}

FineTuneRun::PassSums FineTuneRun::RunPass(const Batch& batch, int pass, int64_t first, int64_t last) {
  Targets targets{.classes = batch.targets.classes.slice(0, first, last)};
  if (batch.targets.teacher.defined()) targets.teacher = batch.targets.teacher.slice(0, first, last);
  torch::Tensor boundary;
  if (batch.boundary.defined()) {
    boundary = batch.boundary.slice(0, first, last);
  } else {
    torch::Tensor images = network_->Normalize(batch.images.slice(0, first, last));
    if (mix_.enabled()) {
      const Mix mix = DrawMix(mix_, options_.seed, epoch(), progress_.epoch_updates, pass,
                              static_cast<int>(images.size(0)), static_cast<int>(images.size(2)));
      images = MixImages(mix, images);
      targets = MixTargets(mix, targets);
    }
    boundary = network_->RunFrozen(images, progress_.bf16);
  }
  const torch::Tensor logits = network_->RunTrained(boundary, progress_.bf16, /*training=*/true);
  const torch::Tensor loss = loss_.Sum(logits, targets);
  (loss / batch.targets.classes.size(0)).backward();
  return {.loss = loss.item<double>(), .right = logits.argmax(1).eq(targets.classes.argmax(1)).sum().item<int64_t>()};
}

void FineTuneRun::EndUpdate(const PassSums& sums) {
  const double factor = LearningRateFactor(phase(), progress_.phase_updates, UpdatesPerEpoch(), progress_.plateau);
  updater_->Update(factor, ++progress_.phase_updates);
  statistics_before_.clear();
  if (average_) average_->Update(progress_.phase_updates);
  ++progress_.epoch_updates;
  progress_.loss_sum += sums.loss;
  progress_.right_count += sums.right;
  progress_.learning_rate = phase().learning_rate * factor;
}

absl::StatusOr<evaluate::Metrics> FineTuneRun::Validate(const std::vector<int64_t>& images, bool bf16) {
  const torch::NoGradGuard no_grad;
  RETURN_IF_ERROR(
      validation_.StartEpoch(epoch(), images, phase().batch_size, 0, KeepsActivations(*inputs_.validation), bf16));
  std::vector<float> probabilities;
  std::vector<int> labels;
  while (labels.size() < images.size()) {
    if (stop_()) return StoppedHere();
    ASSIGN_OR_RETURN(const SplitBatch batch, validation_.Next());
    const torch::Tensor read =
        batch.boundary.defined() ? batch.boundary : network_->RunFrozen(network_->Normalize(batch.images), bf16);
    const std::vector<float> logits = ToVector(network_->RunTrained(read, bf16, /*training=*/false));
    probabilities.insert(probabilities.end(), logits.begin(), logits.end());
    labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
  }
  evaluate::Softmax(absl::MakeSpan(probabilities), network_->classes());
  return evaluate::Evaluate(probabilities, labels, network_->classes());
}

absl::Status FineTuneRun::EndEpoch(const evaluate::Metrics& validation) {
  if (!std::isfinite(validation.loss)) return NonFiniteValidationLoss(epoch());
  const double images = inputs_.train->images();
  const auto best_loss = [this] { return progress_.history[progress_.best_epoch - 1].validation_loss; };
  const EpochMetrics metrics{.epoch = epoch(),
                             .phase = progress_.phase + 1,
                             .train_loss = progress_.loss_sum / images,
                             .train_accuracy = static_cast<double>(progress_.right_count) / images,
                             .validation_loss = validation.loss,
                             .validation_accuracy = validation.accuracy,
                             .learning_rate = progress_.learning_rate,
                             .seconds = progress_.seconds,
                             .images_per_second = progress_.seconds > 0 ? images / progress_.seconds : 0,
                             .best = progress_.best_epoch == 0 || validation.loss < best_loss()};
  if (metrics.best) {
    CopyValues(average_ ? average_->tensors() : changing_, best_);
    progress_.best_epoch = metrics.epoch;
  }
  progress_.history.push_back(metrics);
  EndPhaseEpoch(validation.loss);
  return absl::OkStatus();
}

void FineTuneRun::EndPhaseEpoch(double validation_loss) {
  ObserveLoss(progress_.plateau, validation_loss);
  ++progress_.phase_epochs;
  if (progress_.phase_best_epochs == 0 || validation_loss < progress_.phase_lowest_loss) {
    progress_.phase_best_epochs = progress_.phase_epochs;
    progress_.phase_lowest_loss = validation_loss;
  }
  progress_.epoch_updates = 0;
  progress_.loss_sum = 0;
  progress_.right_count = 0;
  progress_.seconds = 0;
}

TensorsByName FineTuneRun::State() const {
  TensorsByName state;
  const auto add = [&state](const std::string& prefix, const TensorsByName& tensors) {
    for (const auto& [name, tensor] : tensors) state[prefix + name] = tensor;
  };
  add("weights/", changing_);
  add("moments/", updater_->Moments());
  if (average_) add("average/", average_->tensors());
  if (progress_.best_epoch > 0) add("best/", best_);
  return state;
}

FineTuned FineTuneRun::Result() {
  CopyValues(best_, changing_);
  return {.backbone_safetensors = network_->SerializeBackbone(),
          .head = network_->CopyHead(),
          .history = progress_.history,
          .best_epoch = progress_.best_epoch,
          .fell_back_to_f32 = progress_.fell_back_to_f32};
}

}  // namespace graft::train
