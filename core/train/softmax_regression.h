// The maths of a dense softmax head: loss, gradient and Adam. On any device; float32.
#pragma once

#include <torch/torch.h>

namespace graft::train {

struct HeadTensors {
  torch::Tensor kernel;  // [dimension, classes]
  torch::Tensor bias;    // [classes]
};

struct BatchResult {
  HeadTensors gradient;       // of the mean loss
  torch::Tensor loss_sum;     // [], cross entropy summed over the batch
  torch::Tensor right_count;  // [], int64: rows whose largest logit is the label's
};

// features [batch, dimension], labels [batch] int64. The gradient is in closed form:
//   d loss / d logits = (softmax(logits) - one_hot(labels)) / batch
BatchResult ForwardBackward(const HeadTensors& head, const torch::Tensor& features, const torch::Tensor& labels);

struct AdamMoments {
  HeadTensors first, second;  // running means of the gradient and of its square
};

// One AdamStep of both in place, `step` counting from 1.
void AdamUpdate(HeadTensors& head, AdamMoments& moments, const HeadTensors& gradient, double learning_rate,
                int64_t step);

}  // namespace graft::train
