// Keras' files and numbers as LibTorch tensors, for the tests of networks.
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/status_macros.h"
#include "core/weights/safetensors.h"
#include "server/weights/keras_file.h"

namespace graft::testing {

inline absl::StatusOr<weights::Safetensors> LoadKerasWeights(const std::string& path, const std::string& backbone,
                                                             bool with_top = false) {
  ASSIGN_OR_RETURN(std::string bytes, server::ReadKerasWeights(path, backbone, {.with_top = with_top}));
  return weights::Safetensors::Parse(std::move(bytes));
}

// A tensor of the golden file, which may go then.
inline torch::Tensor GoldenTensor(const weights::Safetensors& golden, const std::string& name) {
  const weights::TensorView& view = golden.tensors().at(name);
  const auto dtype = view.dtype == weights::DType::kU8 ? torch::kUInt8 : torch::kFloat32;
  return torch::from_blob(const_cast<char*>(view.data.data()), view.shape, dtype).clone();
}

// Largest difference over largest value.
inline double RelativeError(const torch::Tensor& actual, const torch::Tensor& expected) {
  return ((actual - expected).abs().max() / expected.abs().max()).item<double>();
}

}  // namespace graft::testing
