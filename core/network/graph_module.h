// An Architecture as a LibTorch module: one submodule per layer with weights, under Keras' layer and variable names
// ("block_3_expand" with "kernel"), as trained.
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
  //
  // A batch norm in eval mode (each has its own: train and eval of its submodule) right after a convolution is computed
  // within it, on a kernel scaled for this pass: the same function of the same weights, gradients of gamma, beta and
  // kernel included, without the two passes over the activations that it would cost.
  torch::Tensor Forward(const torch::Tensor& images, int last) { return ForwardFrom(0, images, last); }
  // The same from the value of layer `first` on, if no layer after `first` reads one before it.
  torch::Tensor ForwardFrom(int first, const torch::Tensor& value, int last);

  // The submodule of a layer; null for layers without weights.
  torch::nn::Module* ModuleOf(int layer) const { return layer_modules_[static_cast<size_t>(layer)].get(); }

  const Architecture& architecture() const { return architecture_; }

 private:
  const Architecture architecture_;
  // What computes `layer` from `inputs`. `in_place`: it may overwrite its first input.
  torch::Tensor Compute(int layer, std::vector<torch::Tensor> inputs, bool in_place) const;
  // The batch norm that layer's value is computed with, or -1.
  int FoldedInto(int layer, int last) const;

  std::vector<int> readers_;                                       // per layer: how many layers read it
  std::vector<int> last_uses_;                                     // per layer: the last layer that reads it
  std::vector<std::shared_ptr<torch::nn::Module>> layer_modules_;  // null for layers without weights
};

}  // namespace graft::network
