#include "core/train/adam.h"

#include <torch/torch.h>

#include <cmath>

namespace graft::train {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-7;

double BiasCorrected(double learning_rate, int64_t step) {
  const double steps = static_cast<double>(step);
  return learning_rate * std::sqrt(1 - std::pow(kBeta2, steps)) / (1 - std::pow(kBeta1, steps));
}

}  // namespace

void AdamStep(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
              double learning_rate, int64_t step) {
  const double step_size = BiasCorrected(learning_rate, step);
  first.add_(gradient - first, 1 - kBeta1);
  second.add_(gradient.square() - second, 1 - kBeta2);
  weights.addcdiv_(first, second.sqrt().add_(kEpsilon), -step_size);
}

void AdamStep(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
              const torch::Tensor& learning_rates, int64_t step) {
  const torch::Tensor step_sizes = learning_rates * BiasCorrected(1, step);
  // As few passes over the memory as there can be: many heads side by side do not fit a cache.
  first.lerp_(gradient, 1 - kBeta1);
  second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  torch::Tensor direction = second.sqrt().add_(kEpsilon);
  torch::div_out(direction, first, direction);
  weights.addcmul_(direction, step_sizes, -1);
}

}  // namespace graft::train
