#include "core/train/sweep.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/metrics.h"
#include "core/network/torch_status.h"
#include "core/train/divergence.h"
#include "core/train/epoch_rows.h"
#include "core/train/head_tensors.h"
#include "core/train/single_thread.h"

namespace graft::train {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kKeepOneIn = 4;
constexpr int kAlwaysKept = 4;

int DivideUp(int value, int divisor) {
  return (value + divisor - 1) / divisor;
}

// A candidate, while it runs and after.
struct Runner {
  SweepTrial trial;
  int best_epoch = 0;
  Head head;  // of its best epoch
};

// Of a candidate over an epoch.
struct EpochSums {
  double loss = 0, right = 0;
};

// All candidates side by side, in the last dimension: [.., candidates x classes].
struct Columns {
  HeadTensors heads;
  AdamMoments moments;
  ColumnRates rates;
};

torch::Tensor ColumnsOf(const torch::Tensor& tensor, const torch::Tensor& candidates, int classes) {
  return tensor.unflatten(-1, {-1, classes}).index_select(-2, candidates).flatten(-2).contiguous();
}

HeadTensors ColumnsOf(const HeadTensors& heads, const torch::Tensor& candidates, int classes) {
  return {.kernel = ColumnsOf(heads.kernel, candidates, classes), .bias = ColumnsOf(heads.bias, candidates, classes)};
}

ColumnRates RatesOf(const std::vector<SweepCandidate>& candidates, int classes, const at::Device& device) {
  std::vector<float> learning, decay;
  bool decays = false;
  for (const SweepCandidate& candidate : candidates) {
    learning.insert(learning.end(), classes, static_cast<float>(candidate.learning_rate));
    decay.insert(decay.end(), classes, static_cast<float>(candidate.learning_rate * candidate.weight_decay));
    decays = decays || candidate.weight_decay > 0;
  }
  const auto columns = static_cast<int64_t>(learning.size());
  ColumnRates rates{.learning = ToTensor(learning, {columns}, device)};
  if (decays) rates.decay = ToTensor(decay, {columns}, device);
  return rates;
}

Columns FirstColumns(int dimension, const HeadOptions& options, const std::vector<SweepCandidate>& candidates) {
  const at::Device device(options.device);
  const auto count = static_cast<int64_t>(candidates.size());
  const HeadTensors first =
      ToTensors(options.start ? *options.start : InitialHead(options.seed, dimension, options.classes), device);
  Columns columns{.heads = {.kernel = first.kernel.repeat({1, count}), .bias = first.bias.repeat({count})},
                  .rates = RatesOf(candidates, options.classes, device)};
  for (HeadTensors* const moment : {&columns.moments.first, &columns.moments.second}) {
    *moment = {.kernel = torch::zeros_like(columns.heads.kernel), .bias = torch::zeros_like(columns.heads.bias)};
  }
  return columns;
}

// LibTorch throws out of every method.
class SweepTraining {
 public:
  SweepTraining(const LabelledFeatures& train, const LabelledFeatures& validation, const HeadOptions& options,
                const std::vector<SweepCandidate>& candidates)
      : options_(options),
        device_(options.device),
        features_(FeatureTensor(train, device_)),
        labels_(LabelTensor(train, device_)),
        views_(train.views),
        validation_features_(FeatureTensor(validation, device_)),
        validation_labels_(validation.labels),
        columns_(FirstColumns(train.dimension, options, candidates)) {
    for (const SweepCandidate& candidate : candidates) {
      const int number = static_cast<int>(running_.size()) + 1;
      running_.push_back(
          {.trial = {.number = number, .candidate = candidate, .train_loss = kInfinity, .validation_loss = kInfinity}});
    }
  }

  absl::StatusOr<SweptHead> Run(const SweepObserver& observer, const std::function<bool()>& stop,
                                const std::function<bool()>& finish) {
    const int candidates = running();
    for (int epoch = 1; !running_.empty(); ++epoch) {
      ASSIGN_OR_RETURN(const bool finished, TrainOnce(epoch, stop, [&] { return epoch > 1 && finish(); }));
      if (finished) {
        swept_.finished_early = true;
        RETURN_IF_ERROR(Leave(std::vector<bool>(running_.size(), true), observer));
        break;
      }
      std::vector<bool> ended = Validate(epoch);
      if (epoch == DivideUp(options_.epochs, 16) || epoch == DivideUp(options_.epochs, 4)) EndAllButTheBest(ended);
      RETURN_IF_ERROR(Leave(ended, observer));
    }
    if (swept_.best == 0) return NonFiniteLossOfAll(candidates);
    return std::move(swept_);
  }

 private:
  int running() const { return static_cast<int>(running_.size()); }
  int64_t images() const { return features_.size(0) / views_; }

  // One epoch of all; or true, where `finish` kept it from its end.
  absl::StatusOr<bool> TrainOnce(int epoch, const std::function<bool()>& stop, const std::function<bool()>& finish) {
    const torch::Tensor order =
        torch::tensor(EpochRows(options_.seed, epoch, static_cast<int>(images()), views_)).to(device_);
    torch::Tensor losses = torch::zeros({running()}, torch::dtype(torch::kFloat64).device(device_));
    torch::Tensor right = torch::zeros_like(losses);
    for (int64_t first = 0; first < images(); first += options_.batch_size) {
      if (stop()) return absl::CancelledError(absl::StrCat("stopped in epoch ", epoch));
      if (finish()) return true;
      const torch::Tensor rows = order.slice(0, first, std::min(first + options_.batch_size, images()));
      const BatchResult batch =
          ForwardBackward(columns_.heads, features_.index_select(0, rows), labels_.index_select(0, rows), running());
      AdamUpdate(columns_.heads, columns_.moments, batch.gradient, columns_.rates, ++adam_step_);
      losses.add_(batch.loss_sum);
      right.add_(batch.right_count);
    }
    sums_.clear();
    for (int i = 0; i < running(); ++i) sums_.push_back({losses[i].item<double>(), right[i].item<double>()});
    return false;
  }

  // Which of the running have ended with the epoch.
  std::vector<bool> Validate(int epoch) {
    const torch::Tensor logits = torch::addmm(columns_.heads.bias, validation_features_, columns_.heads.kernel)
                                     .unflatten(1, {running(), options_.classes});
    std::vector<bool> ended;
    for (int i = 0; i < running(); ++i) {
      std::vector<float> probabilities = ToVector(logits.select(1, i));
      evaluate::Softmax(absl::MakeSpan(probabilities), options_.classes);
      ended.push_back(Note(i, epoch, evaluate::Evaluate(probabilities, validation_labels_, options_.classes)));
    }
    return ended;
  }

  // Whether the runner at `column` ends with this epoch.
  bool Note(int column, int epoch, const evaluate::Metrics& metrics) {
    Runner& runner = running_[column];
    SweepTrial& trial = runner.trial;
    trial.epochs = epoch;
    if (!std::isfinite(sums_[column].loss) || !std::isfinite(metrics.loss)) return true;
    if (metrics.loss < trial.validation_loss) {
      trial.train_loss = sums_[column].loss / static_cast<double>(images());
      trial.train_accuracy = sums_[column].right / static_cast<double>(images());
      trial.validation_loss = metrics.loss;
      trial.validation_accuracy = metrics.accuracy;
      runner.best_epoch = epoch;
      runner.head = ToHead(ColumnsOf(columns_.heads, torch::tensor({int64_t{column}}).to(device_), options_.classes));
    }
    return epoch == options_.epochs || epoch - runner.best_epoch >= options_.patience;
  }

  // Of equals the first goes on.
  void EndAllButTheBest(std::vector<bool>& ended) const {
    std::vector<int> order;
    for (int i = 0; i < running(); ++i) {
      if (!ended[i]) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [this](int a, int b) {
      return running_[a].trial.validation_loss < running_[b].trial.validation_loss;
    });
    const int count = static_cast<int>(order.size());
    for (int i = std::max(kAlwaysKept, DivideUp(count, kKeepOneIn)); i < count; ++i) ended[order[i]] = true;
  }

  // Takes the ended out of the running.
  absl::Status Leave(const std::vector<bool>& ended, const SweepObserver& observer) {
    std::vector<Runner> staying;
    std::vector<int64_t> staying_columns;
    for (int i = 0; i < running(); ++i) {
      if (ended[i]) {
        RETURN_IF_ERROR(End(std::move(running_[i]), observer));
        continue;
      }
      staying.push_back(std::move(running_[i]));
      staying_columns.push_back(i);
    }
    if (staying.size() < running_.size() && !staying.empty()) KeepColumns(staying_columns);
    running_ = std::move(staying);
    return absl::OkStatus();
  }

  void KeepColumns(const std::vector<int64_t>& candidates) {
    const torch::Tensor kept = torch::tensor(candidates).to(device_);
    const auto keep = [&](auto& columns) { columns = ColumnsOf(columns, kept, options_.classes); };
    keep(columns_.heads);
    keep(columns_.moments.first);
    keep(columns_.moments.second);
    keep(columns_.rates.learning);
    if (columns_.rates.decay.defined()) keep(columns_.rates.decay);
  }

  absl::Status End(Runner runner, const SweepObserver& observer) {
    runner.trial.seconds = stopwatch_.seconds();
    swept_.trials.push_back(runner.trial);
    if (runner.trial.validation_loss < lowest_loss_) {
      lowest_loss_ = runner.trial.validation_loss;
      swept_.best = runner.trial.number;
      swept_.head = std::move(runner.head);
    }
    return observer(runner.trial);
  }

  const HeadOptions& options_;
  const at::Device device_;
  const torch::Tensor features_;  // [rows, dimension], float32
  const torch::Tensor labels_;    // [rows], int64
  const int views_;
  const torch::Tensor validation_features_;  // [images, dimension], float32
  const std::vector<int> validation_labels_;
  const Stopwatch stopwatch_;
  std::vector<Runner> running_;  // in the order of the columns
  std::vector<EpochSums> sums_;  // of them, over the last epoch
  Columns columns_;
  int64_t adam_step_ = 0;
  SweptHead swept_;
  double lowest_loss_ = kInfinity;
};

}  // namespace

absl::StatusOr<SweptHead> Sweep(const LabelledFeatures& train, const LabelledFeatures& validation,
                                const HeadOptions& options, const std::vector<SweepCandidate>& candidates,
                                const SweepObserver& observer, const std::function<bool()>& stop,
                                const std::function<bool()>& finish) {
  RETURN_IF_ERROR(CheckFeatures("train", train, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckFeatures("validation", validation, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckStart(options.start, train.dimension, options.classes));
  if (candidates.empty()) return absl::InvalidArgumentError("there is no candidate to train");
  return network::StatusFromThrow(absl::StatusCode::kInternal, "sweep", [&]() -> absl::StatusOr<SweptHead> {
    const SingleThread single_thread;
    const c10::InferenceMode no_autograd;
    return SweepTraining(train, validation, options, candidates).Run(observer, stop, finish);
  });
}

}  // namespace graft::train
