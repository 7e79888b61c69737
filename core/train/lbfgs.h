// The limited memory of L-BFGS.
#pragma once

#include <torch/torch.h>

#include <deque>

namespace graft::train {

// The last steps taken and what they did to the gradient: an estimate of the inverse Hessian. One thread at a time.
class LbfgsMemory {
 public:
  // `step` is how far the weights moved, `change` how much the gradient changed by that. A pair without curvature
  // (change . step not above 0, by rounding only) is left out: with it the estimate would not be positive definite.
  void Add(const torch::Tensor& step, const torch::Tensor& change);

  // -H gradient: a direction in which the function falls. With nothing added yet the gradient's own, of length at
  // most 1.
  torch::Tensor Direction(const torch::Tensor& gradient) const;

  bool empty() const { return pairs_.empty(); }
  void Clear() { pairs_.clear(); }

 private:
  struct Pair {
    torch::Tensor step, change;
    double curvature;  // change . step
  };
  std::deque<Pair> pairs_;  // oldest first
};

// sum of a * b, as a number.
double Dot(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace graft::train
