#include "core/train/head_solver.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/metrics.h"
#include "core/network/torch_status.h"
#include "core/train/head_tensors.h"
#include "core/train/logistic_regression.h"
#include "core/train/single_thread.h"

namespace graft::train {
namespace {

constexpr int kPatience = 3;  // trials

absl::Status Annotate(const absl::Status& status, double l2) {
  return {status.code(), absl::StrCat("at l2 ", l2, ": ", status.message())};
}

absl::Status CheckFinite(absl::string_view split, const LabelledFeatures& features) {
  for (size_t i = 0; i < features.values.size(); ++i) {
    if (std::isfinite(features.values[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the ", split, " split's image ", i / features.dimension, " has a feature that is not finite"));
  }
  return absl::OkStatus();
}

// The train split's features as the regression sees them.
class Standardised {
 public:
  Standardised(const LabelledFeatures& train, const at::Device& device) {
    const auto images = static_cast<int64_t>(train.labels.size());
    features_ = torch::ones({images, train.dimension + 1}, torch::kFloat64);
    torch::Tensor values = features_.narrow(1, 0, train.dimension);
    values.copy_(torch::from_blob(const_cast<float*>(train.values.data()), {images, train.dimension}, torch::kFloat32));
    mean_ = values.mean(0);
    values.sub_(mean_);
    const torch::Tensor deviation = values.square().mean(0).sqrt_();
    // 0 for what does not vary but by rounding: its weight stays 0.
    scale_ = torch::where(deviation > kLeastDeviation * mean_.abs(), deviation.reciprocal(), 0.0);
    values.mul_(scale_);
    features_ = features_.to(device);
  }

  // [images, dimension + 1], float64; the last column is 1.
  const torch::Tensor& features() const { return features_; }

  // Their weights, [dimension + 1, classes], that give what `head` gives for plain features. What a head makes of
  // features that do not vary here goes into the bias.
  torch::Tensor Unfold(const Head& head) const {
    const auto in_float64 = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
    const torch::Tensor kernel = in_float64(ToTensor(head.kernel, {head.dimension, head.classes}, torch::kCPU));
    const torch::Tensor bias = in_float64(ToTensor(head.bias, {head.classes}, torch::kCPU)) + mean_.matmul(kernel);
    const torch::Tensor spread = torch::where(scale_ > 0, scale_.reciprocal(), 0.0).unsqueeze(1);
    return torch::cat({kernel * spread, bias.unsqueeze(0)}).to(features_.device());
  }

  // The head that gives for plain features what `weights`, [dimension + 1, classes], give for these.
  Head Fold(const torch::Tensor& weights) const {
    const torch::Tensor on_cpu = weights.to(torch::kCPU);
    const int64_t dimension = on_cpu.size(0) - 1;
    const torch::Tensor kernel = on_cpu.narrow(0, 0, dimension) * scale_.unsqueeze(1);
    const torch::Tensor bias = on_cpu[dimension] - mean_.matmul(kernel);
    return {.dimension = static_cast<int>(dimension),
            .classes = static_cast<int>(on_cpu.size(1)),
            .kernel = ToFloats(kernel),
            .bias = ToFloats(bias)};
  }

 private:
  // Of float32 values around a mean.
  static constexpr double kLeastDeviation = 1e-6;

  static std::vector<float> ToFloats(const torch::Tensor& tensor) {
    const torch::Tensor floats = tensor.to(torch::kFloat32).contiguous();
    return {floats.const_data_ptr<float>(), floats.const_data_ptr<float>() + floats.numel()};
  }

  torch::Tensor features_;
  torch::Tensor mean_, scale_;  // [dimension], float64, on the CPU
};

// The trials one after the other. LibTorch throws out of its methods.
class Path {
 public:
  Path(const LabelledFeatures& train, const LabelledFeatures& validation, const SolverOptions& options)
      : validation_(validation),
        device_(options.device),
        standardised_(train, at::Device(device_)),
        regression_(standardised_.features(), LabelTensor(train, device_), options.classes) {
    if (options.start) regression_.SetWeights(standardised_.Unfold(*options.start));
  }

  bool Finished() const { return static_cast<int>(solved_.trials.size()) - solved_.best >= kPatience; }
  bool HasTrial() const { return !solved_.trials.empty(); }
  const L2Trial& last() const { return solved_.trials.back(); }
  void FinishEarly() { solved_.finished_early = true; }
  SolvedHead Take() && { return std::move(solved_); }

  absl::Status Solve(double l2, const std::function<bool()>& stop) {
    const Stopwatch stopwatch;
    const auto minimised = regression_.Minimise(l2, stop);
    if (!minimised.ok()) return Annotate(minimised.status(), l2);
    Head head = standardised_.Fold(regression_.weights());
    L2Trial trial{.number = static_cast<int>(solved_.trials.size()) + 1,
                  .l2 = l2,
                  .iterations = minimised->iterations,
                  .train_loss = regression_.MeanLoss(),
                  .train_accuracy = regression_.Accuracy()};
    RETURN_IF_ERROR(Validate(head, trial));
    trial.seconds = stopwatch.seconds();
    Add(trial, std::move(head));
    return absl::OkStatus();
  }

 private:
  absl::Status Validate(const Head& head, L2Trial& trial) const {
    ASSIGN_OR_RETURN(const std::vector<float> probabilities, Predict(head, validation_, device_));
    const evaluate::Metrics metrics = evaluate::Evaluate(probabilities, validation_.labels, head.classes);
    if (!std::isfinite(metrics.loss)) {
      return absl::InvalidArgumentError(absl::StrCat("the validation loss is not finite at l2 ", trial.l2));
    }
    trial.validation_loss = metrics.loss;
    trial.validation_accuracy = metrics.accuracy;
    trial.best = metrics.loss < lowest_loss_;
    return absl::OkStatus();
  }

  void Add(const L2Trial& trial, Head head) {
    solved_.trials.push_back(trial);
    if (!trial.best) return;
    lowest_loss_ = trial.validation_loss;
    solved_.best = trial.number;
    solved_.head = std::move(head);
  }

  const LabelledFeatures& validation_;
  const std::string device_;
  const Standardised standardised_;
  LogisticRegression regression_;
  SolvedHead solved_;
  double lowest_loss_ = std::numeric_limits<double>::infinity();
};

}  // namespace

std::vector<double> L2Grid() {
  // Two a decade.
  std::vector<double> grid;
  for (int i = 2; i >= -10; --i) grid.push_back(std::pow(10, i / 2.0));
  return grid;
}

absl::StatusOr<SolvedHead> SolveHead(const LabelledFeatures& train, const LabelledFeatures& validation,
                                     const SolverOptions& options, const TrialObserver& observer,
                                     const std::function<bool()>& stop, const std::function<bool()>& finish) {
  RETURN_IF_ERROR(CheckFeatures("train", train, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckFeatures("validation", validation, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckStart(options.start, train.dimension, options.classes));
  RETURN_IF_ERROR(CheckFinite("train", train));
  RETURN_IF_ERROR(CheckFinite("validation", validation));
  const std::vector<double> grid = options.l2 ? std::vector<double>{*options.l2} : L2Grid();

  return network::StatusFromThrow(absl::StatusCode::kInternal, "solve head", [&]() -> absl::StatusOr<SolvedHead> {
    const SingleThread single_thread;
    const c10::InferenceMode no_autograd;
    Path path(train, validation, options);
    for (const double l2 : grid) {
      if (path.Finished()) break;
      bool stopped = false;
      const absl::Status solved = path.Solve(l2, [&] { return (stopped = stop()) || (path.HasTrial() && finish()); });
      if (absl::IsCancelled(solved) && !stopped) {
        path.FinishEarly();
        break;
      }
      RETURN_IF_ERROR(solved);
      RETURN_IF_ERROR(observer(path.last()));
    }
    return std::move(path).Take();
  });
}

}  // namespace graft::train
