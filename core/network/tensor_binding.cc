#include "core/network/tensor_binding.h"

#include <cstring>

#include "core/base/status_macros.h"
#include "core/network/expected_tensors.h"
#include "core/network/torch_status.h"

namespace graft::network {
namespace {

// A copy: the file's buffer ends with the load, and its tensors need not be aligned.
torch::Tensor CopyOf(const weights::TensorView& view) {
  torch::Tensor tensor = torch::empty(view.shape, torch::kFloat32);
  if (!view.data.empty()) std::memcpy(tensor.data_ptr(), view.data.data(), view.data.size());
  return tensor;
}

}  // namespace

absl::StatusOr<std::map<std::string, torch::Tensor>> BindTensors(const Architecture& architecture,
                                                                 const weights::Safetensors& weights) {
  RETURN_IF_ERROR(CheckWeights(architecture, weights));
  return StatusFromThrow(absl::StatusCode::kInternal, "bind weights", [&] {
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& [name, view] : weights.tensors()) tensors[name] = CopyOf(view);
    return tensors;
  });
}

}  // namespace graft::network
