#include "core/train/weight_updater.h"

#include <torch/torch.h>

#include <utility>

#include "core/train/adam.h"

namespace graft::train {
namespace {

constexpr double kMomentum = 0.9;

// Source: torch.optim.SGD, dampening 0, no Nesterov. Its velocity starts as the first gradient, which is the same.
void MomentumStep(torch::Tensor& weights, torch::Tensor& velocity, const torch::Tensor& gradient, double learning_rate,
                  double weight_decay) {
  velocity.mul_(kMomentum).add_(gradient);
  if (weight_decay != 0) velocity.add_(weights, weight_decay);
  weights.add_(velocity, -learning_rate);
}

}  // namespace

WeightUpdater::WeightUpdater(std::vector<TrainableTensor> tensors, const PhaseOptions& phase)
    : phase_(phase), tensors_(std::move(tensors)) {
  const torch::NoGradGuard no_grad;
  for (const TrainableTensor& tensor : tensors_) {
    first_.push_back(torch::zeros_like(tensor.value));
    if (phase_.optimizer != Optimizer::kSgd) second_.push_back(torch::zeros_like(tensor.value));
  }
}

void WeightUpdater::Update(double schedule_factor, int64_t step) {
  const torch::NoGradGuard no_grad;
  if (phase_.clip_norm > 0) ClipGradients();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    TrainableTensor& tensor = tensors_[i];
    const torch::Tensor& gradient = tensor.value.grad();
    const double learning_rate = phase_.learning_rate * schedule_factor * tensor.learning_rate_factor;
    const double weight_decay = tensor.decays ? phase_.weight_decay : 0;
    if (phase_.optimizer == Optimizer::kSgd) {
      MomentumStep(tensor.value, first_[i], gradient, learning_rate, weight_decay);
      continue;
    }
    if (phase_.optimizer == Optimizer::kAdamW && weight_decay != 0) tensor.value.mul_(1 - learning_rate * weight_decay);
    AdamStep(tensor.value, first_[i], second_[i], gradient, learning_rate, step);
  }
  DropGradients();
}

void WeightUpdater::DropGradients() {
  for (TrainableTensor& tensor : tensors_) tensor.value.mutable_grad().reset();
}

void WeightUpdater::ClipGradients() {
  std::vector<torch::Tensor> norms;
  for (const TrainableTensor& tensor : tensors_) norms.push_back(tensor.value.grad().norm());
  constexpr double kEpsilon = 1e-6;  // torch's
  const torch::Tensor factor = (phase_.clip_norm / (torch::stack(norms).norm() + kEpsilon)).clamp_max(1);
  for (TrainableTensor& tensor : tensors_) tensor.value.mutable_grad().mul_(factor);
}

std::map<std::string, torch::Tensor> WeightUpdater::Moments() const {
  std::map<std::string, torch::Tensor> moments;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    moments["first/" + tensors_[i].name] = first_[i];
    if (!second_.empty()) moments["second/" + tensors_[i].name] = second_[i];
  }
  return moments;
}

}  // namespace graft::train
