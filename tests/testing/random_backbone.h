// Backbone weights made of random numbers, for tests that need a network but no meaning.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/network/expected_tensors.h"
#include "core/weights/safetensors.h"

namespace graft::testing {

using TensorValues = std::map<std::string, std::vector<float>>;

// Convolutions keep the variance of their input; batch norms are far enough from the identity that folding them wrongly
// shows.
inline TensorValues RandomValues(const std::map<std::string, network::Shape>& shapes, uint32_t seed = 1) {
  std::mt19937 engine(seed);
  // Uniform with variance 1: far quicker in debug builds than normal numbers.
  const auto number = [&engine] { return (static_cast<float>(engine() >> 8) * 0x1p-24F - 0.5F) * 3.4641016F; };
  TensorValues values;
  for (const auto& [name, shape] : shapes) {
    int64_t count = 1;
    for (int64_t dimension : shape) count *= dimension;
    const std::string variable = name.substr(name.find('/') + 1);
    const float scale =
        shape.size() > 1 ? std::sqrt(2.0F * static_cast<float>(shape[0]) / static_cast<float>(count)) : 0.1F;
    const float offset = variable == "gamma" || variable == "moving_variance" ? 1.0F : 0.0F;
    std::vector<float>& tensor = values[name];
    tensor.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) tensor.push_back(offset + scale * number());
  }
  return values;
}

inline std::string SerializeFloats(const std::map<std::string, network::Shape>& shapes, const TensorValues& values) {
  std::map<std::string, weights::TensorView> views;
  for (const auto& [name, shape] : shapes) {
    const std::vector<float>& data = values.at(name);
    views[name] = {weights::DType::kF32, shape, {reinterpret_cast<const char*>(data.data()), data.size() * 4}};
  }
  return weights::Serialize(views, {});
}

}  // namespace graft::testing
