#include "core/train/head_trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/metrics.h"
#include "core/network/torch_status.h"
#include "core/train/checkpoint.h"
#include "core/train/divergence.h"
#include "core/train/epoch_rows.h"
#include "core/train/head_tensors.h"
#include "core/train/random_order.h"
#include "core/train/single_thread.h"

namespace graft::train {
namespace {

Head ZeroHead(int dimension, int classes) {
  return {.dimension = dimension,
          .classes = classes,
          .kernel = std::vector<float>(static_cast<size_t>(dimension) * classes),
          .bias = std::vector<float>(classes)};
}

TrainingState InitialState(int dimension, const HeadOptions& options) {
  const Head zero = ZeroHead(dimension, options.classes);
  return {.head = options.start ? *options.start : InitialHead(options.seed, dimension, options.classes),
          .best = zero,
          .adam_first = zero,
          .adam_second = zero};
}

// [images, classes]
std::vector<float> LogitsOf(const HeadTensors& head, const torch::Tensor& features) {
  return ToVector(torch::addmm(head.bias, features, head.kernel));
}

// [images, classes]
std::vector<float> PredictTensor(const HeadTensors& head, const torch::Tensor& features) {
  std::vector<float> probabilities = LogitsOf(head, features);
  evaluate::Softmax(absl::MakeSpan(probabilities), static_cast<int>(head.bias.size(0)));
  return probabilities;
}

// The run between two checkpoints, on its device. LibTorch throws out of every method.
class HeadTraining {
 public:
  HeadTraining(const LabelledFeatures& train, const LabelledFeatures& validation, const HeadOptions& options,
               TrainingState state)
      : options_(options),
        device_(options.device),
        features_(FeatureTensor(train, device_)),
        labels_(LabelTensor(train, device_)),
        views_(train.views),
        validation_features_(FeatureTensor(validation, device_)),
        validation_labels_(validation.labels),
        head_(ToTensors(state.head, device_)),
        moments_{ToTensors(state.adam_first, device_), ToTensors(state.adam_second, device_)},
        state_(std::move(state)) {}

  bool Finished() const {
    return state_.epoch() >= options_.epochs || state_.epoch() - state_.best_epoch >= options_.patience;
  }
  // Up to date after construction and after RunEpoch's OK.
  const TrainingState& state() const { return state_; }

  absl::Status RunEpoch(const std::function<bool()>& stop) {
    const Stopwatch stopwatch;
    EpochMetrics metrics{.epoch = state_.epoch() + 1, .learning_rate = options_.learning_rate};
    RETURN_IF_ERROR(TrainOnce(stop, metrics));
    RETURN_IF_ERROR(Validate(metrics));
    metrics.seconds = stopwatch.seconds();
    metrics.images_per_second = metrics.seconds > 0 ? static_cast<double>(images()) / metrics.seconds : 0;
    UpdateState(metrics);
    return absl::OkStatus();
  }

 private:
  int64_t images() const { return features_.size(0) / views_; }

  absl::Status TrainOnce(const std::function<bool()>& stop, EpochMetrics& metrics) {
    const int64_t images = this->images();
    const torch::Tensor order =
        torch::tensor(EpochRows(options_.seed, metrics.epoch, static_cast<int>(images), views_)).to(device_);
    std::vector<torch::Tensor> losses, right_counts;  // stay on the device: reading one would wait for it
    for (int64_t first = 0; first < images; first += options_.batch_size) {
      if (stop()) return absl::CancelledError(absl::StrCat("stopped in epoch ", metrics.epoch));
      const torch::Tensor rows = order.slice(0, first, std::min(first + options_.batch_size, images));
      const BatchResult batch = ForwardBackward(head_, features_.index_select(0, rows), labels_.index_select(0, rows));
      if (options_.weight_decay > 0) head_.kernel.mul_(1 - options_.learning_rate * options_.weight_decay);
      AdamUpdate(head_, moments_, batch.gradient, options_.learning_rate, ++state_.adam_step);
      losses.push_back(batch.loss_sum);
      right_counts.push_back(batch.right_count);
    }
    const std::vector<float> step_losses = ToVector(torch::stack(losses));
    RETURN_IF_ERROR(CheckFinite(step_losses, metrics.epoch));
    double loss_sum = 0;
    for (const float loss : step_losses) loss_sum += loss;
    metrics.train_loss = loss_sum / static_cast<double>(images);
    metrics.train_accuracy = torch::stack(right_counts).sum().item<double>() / static_cast<double>(images);
    return absl::OkStatus();
  }

  static absl::Status CheckFinite(const std::vector<float>& step_losses, int epoch) {
    for (size_t step = 0; step < step_losses.size(); ++step) {
      if (!std::isfinite(step_losses[step])) return NonFiniteLoss(epoch, static_cast<int64_t>(step) + 1);
    }
    return absl::OkStatus();
  }

  absl::Status Validate(EpochMetrics& metrics) {
    const evaluate::Metrics measured =
        evaluate::Evaluate(PredictTensor(head_, validation_features_), validation_labels_, options_.classes);
    if (!std::isfinite(measured.loss)) return NonFiniteValidationLoss(metrics.epoch);
    metrics.validation_loss = measured.loss;
    metrics.validation_accuracy = measured.accuracy;
    metrics.best = measured.loss < BestLoss();
    return absl::OkStatus();
  }

  double BestLoss() const {
    return state_.best_epoch == 0 ? std::numeric_limits<double>::infinity()
                                  : state_.history[state_.best_epoch - 1].validation_loss;
  }

  void UpdateState(const EpochMetrics& metrics) {
    state_.head = ToHead(head_);
    state_.adam_first = ToHead(moments_.first);
    state_.adam_second = ToHead(moments_.second);
    state_.history.push_back(metrics);
    if (!metrics.best) return;
    state_.best = state_.head;
    state_.best_epoch = metrics.epoch;
  }

  const HeadOptions options_;
  const at::Device device_;
  const torch::Tensor features_;  // [rows, dimension], float32
  const torch::Tensor labels_;    // [rows], int64
  const int views_;
  const torch::Tensor validation_features_;  // [images, dimension], float32
  const std::vector<int> validation_labels_;
  HeadTensors head_;
  AdamMoments moments_;
  TrainingState state_;
};

TrainedHead BestOf(const TrainingState& state) {
  const EpochMetrics& best = state.history[state.best_epoch - 1];
  return {.head = state.best,
          .history = state.history,
          .best_epoch = state.best_epoch,
          .validation_loss = best.validation_loss,
          .validation_accuracy = best.validation_accuracy};
}

absl::StatusOr<TrainedHead> RunToEnd(HeadTraining& training, const std::string& checkpoint_path,
                                     const std::string& inputs_digest, int observed_epochs,
                                     const EpochObserver& observer, const std::function<bool()>& stop) {
  for (const EpochMetrics& metrics : training.state().history) {
    RETURN_IF_ERROR(Observe(metrics, observed_epochs, observer));
  }
  while (!training.Finished()) {
    RETURN_IF_ERROR(training.RunEpoch(stop));
    const Stopwatch stopwatch;
    RETURN_IF_ERROR(SaveCheckpoint(checkpoint_path, training.state(), inputs_digest));
    EpochMetrics metrics = training.state().history.back();
    metrics.checkpoint_seconds = stopwatch.seconds();
    RETURN_IF_ERROR(Observe(metrics, observed_epochs, observer));
  }
  return BestOf(training.state());
}

}  // namespace

Head InitialHead(uint32_t seed, int dimension, int classes) {
  Head head = ZeroHead(dimension, classes);
  head.kernel = GlorotUniform(seed, dimension, classes);
  return head;
}

absl::Status CheckStart(const std::optional<Head>& start, int dimension, int classes) {
  if (!start || (start->dimension == dimension && start->classes == classes)) return absl::OkStatus();
  return absl::InvalidArgumentError("the head to start from is of other features or classes");
}

void ConfigureThreads(int threads) {
  at::globalContext().setFlushDenormal(true);  // of this thread, which all others inherit it from
  at::set_num_threads(std::max(1, threads));
  at::set_num_interop_threads(1);
}

absl::StatusOr<TrainedHead> TrainHead(const LabelledFeatures& train, const LabelledFeatures& validation,
                                      const HeadOptions& options, const std::string& checkpoint_path,
                                      int observed_epochs, const EpochObserver& observer,
                                      const std::function<bool()>& stop) {
  RETURN_IF_ERROR(CheckFeatures("train", train, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckFeatures("validation", validation, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckStart(options.start, train.dimension, options.classes));
  const std::string inputs_digest = InputsDigest(train, validation, options);
  std::optional<TrainingState> state = LoadCheckpoint(checkpoint_path, inputs_digest, train.dimension, options.classes);
  if (!state) state = InitialState(train.dimension, options);

  return network::StatusFromThrow(absl::StatusCode::kInternal, "train head", [&]() -> absl::StatusOr<TrainedHead> {
    const SingleThread single_thread;
    const c10::InferenceMode no_autograd;
    HeadTraining training(train, validation, options, *std::move(state));
    return RunToEnd(training, checkpoint_path, inputs_digest, observed_epochs, observer, stop);
  });
}

absl::StatusOr<TrainedHead> BestHeadSoFar(const LabelledFeatures& train, const LabelledFeatures& validation,
                                          const HeadOptions& options, const std::string& checkpoint_path) {
  const std::optional<TrainingState> state =
      LoadCheckpoint(checkpoint_path, InputsDigest(train, validation, options), train.dimension, options.classes);
  if (!state || state->best_epoch == 0) return absl::FailedPreconditionError("no epoch of the run has ended yet");
  return BestOf(*state);
}

absl::StatusOr<std::vector<float>> Logits(const Head& head, const LabelledFeatures& features,
                                          const std::string& device) {
  RETURN_IF_ERROR(CheckFeatures("given", features, head.dimension, head.classes));
  return network::StatusFromThrow(absl::StatusCode::kInternal, "apply head", [&] {
    const SingleThread single_thread;
    const c10::InferenceMode no_autograd;
    const at::Device on(device);
    return LogitsOf(ToTensors(head, on), FeatureTensor(features, on));
  });
}

absl::StatusOr<std::vector<float>> Predict(const Head& head, const LabelledFeatures& features,
                                           const std::string& device) {
  ASSIGN_OR_RETURN(std::vector<float> probabilities, Logits(head, features, device));
  evaluate::Softmax(absl::MakeSpan(probabilities), head.classes);
  return probabilities;
}

}  // namespace graft::train
