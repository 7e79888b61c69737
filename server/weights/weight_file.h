// The safetensors file of a backbone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/network/expected_tensors.h"
#include "core/weights/safetensors.h"

namespace graft::server {

// Says nothing of where the weights came from: equal weights must have one digest, by which features are cached.
inline std::string ToWeightFile(absl::string_view backbone, const std::map<std::string, network::Shape>& shapes,
                                const std::map<std::string, std::vector<float>>& values) {
  std::map<std::string, weights::TensorView> tensors;
  for (const auto& [name, shape] : shapes) {
    const std::vector<float>& data = values.at(name);
    tensors[name] = {
        weights::DType::kF32, shape, {reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float)}};
  }
  return weights::Serialize(tensors, {{"backbone", std::string(backbone)}, {"format", "graft-backbone-1"}});
}

}  // namespace graft::server
