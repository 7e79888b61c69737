// One update of Adam on one tensor, in Keras' formulation. On any device.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace graft::train {

// In place, `step` counting from 1; epsilon stands outside the bias correction:
//   m += (g - m) (1 - beta1);  v += (g^2 - v) (1 - beta2)
//   w -= lr sqrt(1 - beta2^step) / (1 - beta1^step)  m / (sqrt(v) + epsilon)
// Source: keras/src/optimizers/adam.py, update_step; beta 0.9 and 0.999, epsilon 1e-7 are its defaults.
void AdamStep(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
              double learning_rate, int64_t step);
// With learning rates that broadcast to the weights, as one for each column; equal but for rounding.
void AdamStep(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
              const torch::Tensor& learning_rates, int64_t step);

}  // namespace graft::train
