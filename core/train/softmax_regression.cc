#include "core/train/softmax_regression.h"

#include <cmath>

namespace graft::train {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-7;

void UpdateTensor(torch::Tensor& weights, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
                  double step_size) {
  first.add_(gradient - first, 1 - kBeta1);
  second.add_(gradient.square() - second, 1 - kBeta2);
  weights.addcdiv_(first, second.sqrt().add_(kEpsilon), -step_size);
}

}  // namespace

BatchResult ForwardBackward(const HeadTensors& head, const torch::Tensor& features, const torch::Tensor& labels) {
  const torch::Tensor logits = torch::addmm(head.bias, features, head.kernel);  // [batch, classes]
  const torch::Tensor log_probabilities = torch::log_softmax(logits, 1);
  const torch::Tensor label_column = labels.unsqueeze(1);

  torch::Tensor logits_gradient = log_probabilities.exp();
  logits_gradient.scatter_add_(1, label_column, torch::full_like(label_column, -1, logits.options()));
  logits_gradient.div_(features.size(0));

  return {.gradient = {.kernel = features.t().mm(logits_gradient), .bias = logits_gradient.sum(0)},
          .loss_sum = log_probabilities.gather(1, label_column).sum().neg(),
          .right_count = logits.argmax(1).eq(labels).sum()};
}

void AdamUpdate(HeadTensors& head, AdamMoments& moments, const HeadTensors& gradient, double learning_rate,
                int64_t step) {
  const double steps = static_cast<double>(step);
  const double step_size = learning_rate * std::sqrt(1 - std::pow(kBeta2, steps)) / (1 - std::pow(kBeta1, steps));
  UpdateTensor(head.kernel, moments.first.kernel, moments.second.kernel, gradient.kernel, step_size);
  UpdateTensor(head.bias, moments.first.bias, moments.second.bias, gradient.bias, step_size);
}

}  // namespace graft::train
