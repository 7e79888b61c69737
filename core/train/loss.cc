#include "core/train/loss.h"

#include <torch/torch.h>

namespace graft::train {

Loss::Loss(const LossOptions& options, int classes, torch::Device device) : options_(options) {
  if (options.class_weight.empty()) return;
  class_weight_ = torch::tensor(options.class_weight, torch::kFloat32).view({classes}).to(device);
}

torch::Tensor Loss::Sum(const torch::Tensor& logits, const Targets& targets) const {
  const double smoothing = options_.label_smoothing;
  const torch::Tensor smoothed =
      targets.classes * (1 - smoothing) + smoothing / static_cast<double>(targets.classes.size(1));
  const torch::Tensor log_probabilities = torch::log_softmax(logits, 1);
  torch::Tensor terms = smoothed * log_probabilities;
  if (options_.focal_gamma != 0) terms = terms * (1 - log_probabilities.exp()).pow(options_.focal_gamma);
  torch::Tensor losses = -terms.sum(1);
  if (class_weight_.defined()) losses = losses * targets.classes.mv(class_weight_);
  const torch::Tensor sum = losses.sum();
  if (!targets.teacher.defined()) return sum;
  const double weight = options_.distillation_weight;
  return (1 - weight) * sum + weight * Distance(logits, targets.teacher);
}

// Probabilities to the power of 1/T and normalised are the softmax of the logits over T.
torch::Tensor Loss::Distance(const torch::Tensor& logits, const torch::Tensor& teacher) const {
  constexpr double kSmallest = 1e-12;  // of a teacher's probability: its logarithm stays finite
  const double temperature = options_.distillation_temperature;
  const torch::Tensor soft_teacher = torch::log_softmax(teacher.clamp_min(kSmallest).log() / temperature, 1);
  const torch::Tensor soft_student = torch::log_softmax(logits / temperature, 1);
  return temperature * temperature * (soft_teacher.exp() * (soft_teacher - soft_student)).sum();
}

}  // namespace graft::train
