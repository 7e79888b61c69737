// The weights that a backbone has, by name and shape: what an import must bring and a safetensors file must hold.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/network/architecture.h"
#include "core/weights/safetensors.h"

namespace graft::network {

using Shape = std::vector<int64_t>;

// Keras' layer and variable names, LibTorch's axes:
//   block_3_expand/kernel              [out, in, height, width]
//   block_3_depthwise/depthwise_kernel [channels, 1, height, width]
//   block_3_expand_BN/gamma, beta, moving_mean, moving_variance, .../bias: [channels]
//   predictions/kernel                 [out, in]
std::map<std::string, Shape> ExpectedTensors(const Architecture& architecture);

// OK if the names and shapes are equal. DataLoss otherwise, naming the first few of each kind: "block_3_expand/kernel:
// expected [144, 24, 1, 1], got [144, 24, 3, 3]; missing bn_Conv1/beta [32]; unexpected x/y [7]".
absl::Status CheckTensors(const std::map<std::string, Shape>& expected, const std::map<std::string, Shape>& actual);

// CheckTensors for the weights that a file holds; DataLoss also for one that is not float32.
absl::Status CheckWeights(const Architecture& architecture, const weights::Safetensors& weights);

// "[144, 24, 1, 1]"
std::string ToText(const Shape& shape);

}  // namespace graft::network
