// Turns gradients into updates of the weights: the optimisers of fine-tuning. On any device.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/train/fine_tuner.h"

namespace graft::train {

struct TrainableTensor {
  std::string name;                 // unique in its network
  torch::Tensor value;              // a leaf that requires gradients
  double learning_rate_factor = 1;  // of the phase's learning rate
  bool decays = true;               // false: no weight decay
};

// One phase's optimiser. One thread at a time.
class WeightUpdater {
 public:
  // Moments are zero.
  WeightUpdater(std::vector<TrainableTensor> tensors, const PhaseOptions& phase);

  // Clips the tensors' gradients together (torch.nn.utils.clip_grad_norm_), updates the tensors and drops the
  // gradients. `step` counts the phase's updates from 1; `schedule_factor` multiplies the phase's learning rate.
  void Update(double schedule_factor, int64_t step);
  void DropGradients();

  // "first/NAME" and, with Adam, "second/NAME": the moments themselves, to save and to fill.
  std::map<std::string, torch::Tensor> Moments() const;

 private:
  void ClipGradients();

  const PhaseOptions phase_;
  std::vector<TrainableTensor> tensors_;
  std::vector<torch::Tensor> first_, second_;  // per tensor; second_ is empty with SGD
};

}  // namespace graft::train
