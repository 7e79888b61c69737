// From checked safetensors to LibTorch tensors.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/network/architecture.h"
#include "core/weights/safetensors.h"

namespace graft::network {

// Every weight of `architecture` as an own float32 CPU tensor, by name. Errors: those of
// CheckWeights.
absl::StatusOr<std::map<std::string, torch::Tensor>> BindTensors(const Architecture& architecture,
                                                                 const weights::Safetensors& weights);

}  // namespace graft::network
