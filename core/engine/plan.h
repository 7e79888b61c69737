// A backbone compiled for inference: batch norms folded into convolutions, activations and additions fused with them.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/engine/convolution_kernel.h"
#include "core/network/architecture.h"

namespace graft::engine {

// Immutable; thread-safe. Throws what LibTorch throws.
class Plan {
 public:
  // tensors: every weight of `architecture`, float32 on the CPU. Folding is computed in double precision, what is
  // folded in `number`: float32 or bfloat16.
  Plan(const network::Architecture& architecture, const std::map<std::string, torch::Tensor>& tensors,
       torch::Device device, torch::Dtype number);

  // images: normalised [N, 3, H, W] float32 on the device, channels last. Features: [N, D], float32.
  torch::Tensor Run(const torch::Tensor& images) const;

 private:
  struct Step {
    Kernel kernel;
    std::vector<size_t> inputs;  // earlier steps' values; 0 is the image, step i makes value i + 1
    std::vector<bool> last_use;  // per input: nobody reads it later
  };

  void FindLastUses();

  const torch::Dtype number_;
  std::vector<Step> steps_;
};

}  // namespace graft::engine
