// The maths of dense softmax heads: loss, gradient and Adam. On any device; float32.
#pragma once

#include <torch/torch.h>

namespace graft::train {

// One head; or several, side by side in the last dimension.
struct HeadTensors {
  torch::Tensor kernel;  // [dimension, heads x classes]
  torch::Tensor bias;    // [heads x classes]
};

struct BatchResult {
  HeadTensors gradient;       // of the mean loss
  torch::Tensor loss_sum;     // [heads], cross entropy summed over the batch
  torch::Tensor right_count;  // [heads], int64: rows whose largest logit is the label's
};

// features [batch, dimension], labels [batch] int64. The gradient is in closed form:
//   d loss / d logits = (softmax(logits) - one_hot(labels)) / batch
BatchResult ForwardBackward(const HeadTensors& head, const torch::Tensor& features, const torch::Tensor& labels,
                            int64_t heads = 1);

struct AdamMoments {
  HeadTensors first, second;  // running means of the gradient and of its square
};

// One AdamStep of both in place, `step` counting from 1.
void AdamUpdate(HeadTensors& head, AdamMoments& moments, const HeadTensors& gradient, double learning_rate,
                int64_t step);

// Of each column its own.
struct ColumnRates {
  torch::Tensor learning;  // [heads x classes]
  // [heads x classes], of the kernel alone: learning rate x weight decay, w -= decay w before the update as Keras'
  // AdamW; or undefined, where no head has any.
  torch::Tensor decay;
};
void AdamUpdate(HeadTensors& heads, AdamMoments& moments, const HeadTensors& gradient, const ColumnRates& rates,
                int64_t step);

}  // namespace graft::train
