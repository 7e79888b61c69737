#include "core/train/softmax_regression.h"

#include "core/train/adam.h"

namespace graft::train {

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
  AdamStep(head.kernel, moments.first.kernel, moments.second.kernel, gradient.kernel, learning_rate, step);
  AdamStep(head.bias, moments.first.bias, moments.second.bias, gradient.bias, learning_rate, step);
}

}  // namespace graft::train
