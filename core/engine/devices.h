// Which devices LibTorch can use here. Implementation of engine.h.
#pragma once

#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace graft::engine {

// InvalidArgument for a name that is neither "cpu" nor "cuda:N", FailedPrecondition for a device that is not here.
absl::StatusOr<torch::Device> FindDevice(const std::string& name);

}  // namespace graft::engine
