#include "core/train/adam.h"

#include <torch/torch.h>

#include <cmath>

namespace graft::train {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-7;

}  // namespace

void AdamStep(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
              double learning_rate, int64_t step) {
  const double steps = static_cast<double>(step);
  const double step_size = learning_rate * std::sqrt(1 - std::pow(kBeta2, steps)) / (1 - std::pow(kBeta1, steps));
  first.add_(gradient - first, 1 - kBeta1);
  second.add_(gradient.square() - second, 1 - kBeta2);
  weights.addcdiv_(first, second.sqrt().add_(kEpsilon), -step_size);
}

}  // namespace graft::train
