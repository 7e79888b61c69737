#include "core/train/softmax_regression.h"

#include "core/train/adam.h"

namespace graft::train {

BatchResult ForwardBackward(const HeadTensors& head, const torch::Tensor& features, const torch::Tensor& labels,
                            int64_t heads) {
  const int64_t batch = features.size(0);
  const torch::Tensor logits =
      torch::addmm(head.bias, features, head.kernel).view({batch, heads, -1});  // [batch, heads, classes]
  const torch::Tensor log_probabilities = torch::log_softmax(logits, 2);
  const torch::Tensor label_column = labels.view({batch, 1, 1}).expand({batch, heads, 1});

  torch::Tensor logits_gradient = log_probabilities.exp();
  logits_gradient.scatter_add_(2, label_column, torch::full({batch, heads, 1}, -1, logits.options()));
  logits_gradient.div_(batch);
  const torch::Tensor columns = logits_gradient.view({batch, -1});

  return {.gradient = {.kernel = features.t().mm(columns), .bias = columns.sum(0)},
          .loss_sum = log_probabilities.gather(2, label_column).squeeze(2).sum(0).neg(),
          .right_count = logits.argmax(2).eq(labels.unsqueeze(1)).sum(0)};
}

void AdamUpdate(HeadTensors& head, AdamMoments& moments, const HeadTensors& gradient, double learning_rate,
                int64_t step) {
  AdamStep(head.kernel, moments.first.kernel, moments.second.kernel, gradient.kernel, learning_rate, step);
  AdamStep(head.bias, moments.first.bias, moments.second.bias, gradient.bias, learning_rate, step);
}

void AdamUpdate(HeadTensors& heads, AdamMoments& moments, const HeadTensors& gradient, const ColumnRates& rates,
                int64_t step) {
  if (rates.decay.defined()) heads.kernel.addcmul_(heads.kernel, rates.decay, -1);
  AdamStep(heads.kernel, moments.first.kernel, moments.second.kernel, gradient.kernel, rates.learning, step);
  AdamStep(heads.bias, moments.first.bias, moments.second.bias, gradient.bias, rates.learning, step);
}

}  // namespace graft::train
