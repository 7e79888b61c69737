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

// One update in place, `step` counting from 1. Keras' formulation, with epsilon outside the bias correction:
//   m += (g - m) (1 - beta1);  v += (g^2 - v) (1 - beta2)
//   w -= lr sqrt(1 - beta2^step) / (1 - beta1^step)  m / (sqrt(v) + epsilon)
// Source: keras/src/optimizers/adam.py, update_step; beta 0.9 and 0.999, epsilon 1e-7 are its defaults.
void AdamUpdate(HeadTensors& head, AdamMoments& moments, const HeadTensors& gradient, double learning_rate,
                int64_t step);

}  // namespace graft::train
