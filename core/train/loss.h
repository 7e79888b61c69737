// What fine-tuning minimises. On any device.
#pragma once

#include <torch/types.h>

#include "core/train/fine_tuner.h"

namespace graft::train {

// What an image should be classified as; on the loss's device, float32.
struct Targets {
  torch::Tensor classes;  // [N, classes]: the label's row of the identity, or a mixture of two; not smoothed
  torch::Tensor teacher;  // [N, classes] probabilities; undefined without distillation
};

// Immutable.
class Loss {
 public:
  Loss(const LossOptions& options, int classes, torch::Device device);

  // LossOptions' formula, summed over the images: []. An image's weight is that of its target, mixed like it.
  torch::Tensor Sum(const torch::Tensor& logits, const Targets& targets) const;

 private:
  torch::Tensor Distance(const torch::Tensor& logits, const torch::Tensor& teacher) const;

  const LossOptions options_;
  torch::Tensor class_weight_;  // [classes], or undefined
};

}  // namespace graft::train
