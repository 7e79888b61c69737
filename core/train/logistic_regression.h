// Multinomial logistic regression with an L2 penalty, minimised. On any device; float64, so that the gradient can be
// followed down to its optimum.
//
//   f(W) = 1/N sum_i -log softmax(x_i W)[y_i]  +  l2/2 |W without its last row|^2
//
// The last column of x is 1: the last row of W is the bias, which is not penalised. f is convex, and for l2 > 0 its
// minimum exists and is unique up to a constant added to every bias.
#pragma once

#include <torch/torch.h>

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/lbfgs.h"

namespace graft::train {

// One thread at a time. LibTorch throws out of every method.
class LogisticRegression {
 public:
  // features [images, rows], labels [images] int64 in 0 .. classes-1. Starts at W = 0.
  LogisticRegression(torch::Tensor features, torch::Tensor labels, int classes);

  struct Minimised {
    int iterations = 0;
    double gradient = 0;  // largest absolute entry at the end
  };
  // Goes from the current W to the minimum for `l2`: until no entry of the gradient is above kGradientTolerance.
  // `stop` is asked before every iteration: Cancelled. InvalidArgument if the loss is not finite, or after
  // kMostIterations.
  //
  // Method: L-BFGS, the step by a line search to the strong Wolfe conditions. Source: Nocedal and Wright, Numerical
  // Optimization, 2nd edition: algorithms 7.4 and 7.5, initial scaling (7.20), conditions (3.7).
  absl::StatusOr<Minimised> Minimise(double l2, const std::function<bool()>& stop);

  const torch::Tensor& weights() const { return weights_; }  // [rows, classes], float64
  double MeanLoss() const;                                   // cross entropy, without the penalty
  double Accuracy() const;

  // f and its gradient at the current W.
  double Objective(double l2) const;
  torch::Tensor Gradient(double l2) const;  // [rows, classes]
  void SetWeights(const torch::Tensor& weights);

  static constexpr double kGradientTolerance = 1e-6;
  static constexpr int kMostIterations = 10'000;

 private:
  absl::Status Step(double l2, torch::Tensor& gradient, LbfgsMemory& memory);

  const torch::Tensor features_;      // [images, rows], float64
  const torch::Tensor label_column_;  // [images, 1], int64
  const torch::Tensor penalised_;     // [rows, 1]: 1, and 0 for the bias
  torch::Tensor weights_;             // [rows, classes]
  torch::Tensor logits_;              // [images, classes]: features x weights
};

}  // namespace graft::train
