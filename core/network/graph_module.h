// An Architecture as a LibTorch module: one submodule per layer with weights, under Keras' layer and variable names
// ("block_3_expand" with "kernel"), as trained, nothing folded.
#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "core/network/architecture.h"

namespace graft::network {

// One thread at a time while it trains; forward passes of a frozen module in eval mode may run concurrently. Throws
// what LibTorch throws.
class GraphModule : public torch::nn::Module {
 public:
  explicit GraphModule(Architecture architecture);

  // images: normalised, [N, 3, H, W] float32. The value of layer `last`: [N, C, H, W], a Dense layer's [N, classes].
  torch::Tensor Forward(const torch::Tensor& images, int last);

  const Architecture& architecture() const { return architecture_; }

 private:
  const Architecture architecture_;
  std::vector<int> last_uses_;                                     // per layer: the last layer that reads it
  std::vector<std::shared_ptr<torch::nn::Module>> layer_modules_;  // null for layers without weights
};

}  // namespace graft::network
