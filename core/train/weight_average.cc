#include "core/train/weight_average.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

namespace graft::train {

WeightAverage::WeightAverage(TensorsByName weights, double decay) : weights_(std::move(weights)), decay_(decay) {
  for (const auto& [name, weight] : weights_) average_[name] = weight.detach().clone();
}

void WeightAverage::Update(int64_t update) {
  const torch::NoGradGuard no_grad;
  const double updates = static_cast<double>(update);
  const double decay = std::min(decay_, (1 + updates) / (10 + updates));
  for (auto& [name, average] : average_) average.add_(weights_.at(name) - average, 1 - decay);
}

void WeightAverage::Swap() {
  const torch::NoGradGuard no_grad;
  for (auto& [name, average] : average_) {
    const torch::Tensor& weight = weights_.at(name);
    const torch::Tensor before = weight.detach().clone();
    weight.copy_(average);
    average.copy_(before);
  }
}

}  // namespace graft::train
