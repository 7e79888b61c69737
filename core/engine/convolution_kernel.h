// The convolutions of a folded plan.
#pragma once

#include <torch/types.h>

#include <functional>
#include <optional>

#include "core/network/architecture.h"

namespace graft::engine {

// Computes one value from others; may overwrite the last of its inputs. Throws what LibTorch throws. Thread-safe.
using Kernel = std::function<torch::Tensor(torch::ArrayRef<torch::Tensor> inputs)>;

// A convolution with what was folded into it. All of one number type (float32 or bfloat16), on the
// device it will run on.
struct FusedConvolution {
  network::Convolution shape;
  int input_size;        // height and width, in pixels
  torch::Tensor kernel;  // [out, in / groups, k, k]
  torch::Tensor bias;    // [out]
  std::optional<network::Nonlinearity> activation;
  bool adds_input = false;  // the second input is added to the result, and overwritten
};

// Channels last in and out. On the CPU through oneDNN with weights packed once and activation and addition inside the
// convolution (what torch.compile emits), where this LibTorch has it.
Kernel MakeConvolution(const FusedConvolution& convolution);

// In place.
void Activate(torch::Tensor& values, network::Nonlinearity nonlinearity);

// Zeros around the image; `input` itself where there are none to add.
torch::Tensor PadWithZeros(const torch::Tensor& input, network::Padding padding);

}  // namespace graft::engine
