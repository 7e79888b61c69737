#include "core/train/logistic_regression.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace graft::train {
namespace {

// Nocedal and Wright's c1 and c2. The slope costs next to nothing here (the logits along a line are known), so c2 asks
// for more than the usual 0.9: fewer products with the features.
constexpr double kDecrease = 1e-4;
constexpr double kCurvature = 0.1;
constexpr int kMostTrials = 60;
// Of values of f that differ by nothing but rounding.
constexpr double kRounding = 1e-14;

torch::Tensor OnesButLast(int64_t rows, const torch::TensorOptions& options) {
  torch::Tensor ones = torch::ones({rows, 1}, options);
  ones[rows - 1].zero_();
  return ones;
}

// sum over the batch of -log softmax(logits)[label]
double LossSum(const torch::Tensor& logits, const torch::Tensor& label_column) {
  return (torch::logsumexp(logits, 1, true) - logits.gather(1, label_column)).sum().item<double>();
}

// f along a line W + t D from a point where all is known: only the logits move, by their own line.
class Line {
 public:
  struct Value {
    double value = 0, slope = 0, curvature = 0;
  };

  // penalty(t) = l2/2 (a + 2 t b + t^2 c)
  struct Penalty {
    double l2, a, b, c;
  };

  Line(const torch::Tensor& logits, const torch::Tensor& logits_direction, const torch::Tensor& label_column,
       Penalty penalty)
      : logits_(logits),
        direction_(logits_direction),
        label_column_(label_column),
        label_direction_(logits_direction.gather(1, label_column).sum().item<double>()),
        penalty_(penalty) {}

  Value At(double t) const {
    const auto images = static_cast<double>(logits_.size(0));
    const torch::Tensor logits = torch::add(logits_, direction_, t);
    const torch::Tensor weighted = torch::softmax(logits, 1).mul_(direction_);  // probabilities x direction
    const torch::Tensor mean = weighted.sum(1);
    const double slope = mean.sum().item<double>() - label_direction_;
    const double curvature = Dot(weighted, direction_) - Dot(mean, mean);
    const auto& [l2, a, b, c] = penalty_;
    return {.value = LossSum(logits, label_column_) / images + l2 / 2 * (a + 2 * t * b + t * t * c),
            .slope = slope / images + l2 * (b + t * c),
            .curvature = curvature / images + l2 * c};
  }

 private:
  const torch::Tensor& logits_;
  const torch::Tensor& direction_;
  const torch::Tensor& label_column_;
  const double label_direction_;
  const Penalty penalty_;
};

// A t that fulfils the strong Wolfe conditions, by Newton's method between two points that are known to enclose one;
// nullopt if rounding leaves none. The function along a line is convex too, so that its slope only grows.
std::optional<double> FindStep(const Line& line) {
  const Line::Value start = line.At(0);
  double low = 0, high = std::numeric_limits<double>::infinity(), t = 1;
  for (int trial = 0; trial < kMostTrials; ++trial) {
    const Line::Value here = line.At(t);
    const bool fell = here.value <= start.value + kDecrease * t * start.slope + kRounding * std::abs(start.value);
    if (fell && std::abs(here.slope) <= -kCurvature * start.slope) return t;
    (fell && here.slope < 0 ? low : high) = t;
    const double newton = t - here.slope / here.curvature;
    const bool inside = newton > low && newton < high;
    t = inside ? newton : std::isinf(high) ? 2 * t : (low + high) / 2;
  }
  return std::nullopt;
}

}  // namespace

LogisticRegression::LogisticRegression(torch::Tensor features, torch::Tensor labels, int classes)
    : features_(std::move(features)),
      label_column_(labels.unsqueeze(1)),
      penalised_(OnesButLast(features_.size(1), features_.options())),
      weights_(torch::zeros({features_.size(1), classes}, features_.options())),
      logits_(torch::zeros({features_.size(0), classes}, features_.options())) {}

void LogisticRegression::SetWeights(const torch::Tensor& weights) {
  weights_ = weights.clone();
  logits_ = features_.mm(weights_);
}

double LogisticRegression::MeanLoss() const {
  return LossSum(logits_, label_column_) / static_cast<double>(features_.size(0));
}

double LogisticRegression::Accuracy() const {
  return logits_.argmax(1, true).eq(label_column_).sum().item<double>() / static_cast<double>(features_.size(0));
}

double LogisticRegression::Objective(double l2) const {
  const torch::Tensor penalised = weights_ * penalised_;
  return MeanLoss() + l2 / 2 * Dot(penalised, penalised);
}

torch::Tensor LogisticRegression::Gradient(double l2) const {
  torch::Tensor residuals = torch::softmax(logits_, 1);
  residuals.scatter_add_(1, label_column_, torch::full_like(label_column_, -1, logits_.options()));
  residuals.div_(features_.size(0));
  return features_.t().mm(residuals).add_(weights_ * penalised_, l2);
}

// One iteration: W and the logits move, `gradient` becomes the one there.
absl::Status LogisticRegression::Step(double l2, torch::Tensor& gradient, LbfgsMemory& memory) {
  torch::Tensor direction = memory.Direction(gradient);
  if (!(Dot(gradient, direction) < 0)) {
    memory.Clear();
    direction = memory.Direction(gradient);
  }
  const torch::Tensor logits_direction = features_.mm(direction);
  const torch::Tensor penalised = weights_ * penalised_, penalised_direction = direction * penalised_;
  const Line line(logits_, logits_direction, label_column_,
                  {.l2 = l2,
                   .a = Dot(penalised, penalised),
                   .b = Dot(penalised, penalised_direction),
                   .c = Dot(penalised_direction, penalised_direction)});
  const std::optional<double> t = FindStep(line);
  if (!t && memory.empty()) return absl::InvalidArgumentError("rounding leaves no way down");
  if (!t) {
    memory.Clear();  // the next iteration goes the gradient's own way
    return absl::OkStatus();
  }
  const torch::Tensor step = direction.mul_(*t);
  weights_.add_(step);
  logits_.add_(logits_direction, *t);
  const torch::Tensor before = std::exchange(gradient, Gradient(l2));
  memory.Add(step, gradient - before);
  return absl::OkStatus();
}

absl::StatusOr<LogisticRegression::Minimised> LogisticRegression::Minimise(double l2,
                                                                           const std::function<bool()>& stop) {
  LbfgsMemory memory;
  torch::Tensor gradient = Gradient(l2);
  for (int iteration = 0; iteration <= kMostIterations; ++iteration) {
    const double largest = gradient.abs().max().item<double>();
    if (!std::isfinite(largest)) return absl::InvalidArgumentError("the loss is not finite");
    if (largest <= kGradientTolerance) return Minimised{.iterations = iteration, .gradient = largest};
    if (stop()) return absl::CancelledError(absl::StrCat("stopped in iteration ", iteration + 1));
    RETURN_IF_ERROR(Step(l2, gradient, memory));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no optimum within ", kMostIterations, " iterations: use a larger l2"));
}

}  // namespace graft::train
