#include "core/network/expected_tensors.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"

namespace graft::network {
namespace {

using Tensors = std::map<std::string, Shape>;

void AddWeights(const std::string& layer, const Convolution& convolution, Tensors& tensors) {
  const auto& [in, out, kernel, stride, padding, depthwise, has_bias] = convolution;
  tensors[layer + (depthwise ? "/depthwise_kernel" : "/kernel")] = {out, depthwise ? 1 : in, kernel, kernel};
  if (has_bias) tensors[layer + "/bias"] = {out};
}

void AddWeights(const std::string& layer, const BatchNormalization& normalization, Tensors& tensors) {
  for (const char* variable : {"/gamma", "/beta", "/moving_mean", "/moving_variance"}) {
    tensors[layer + variable] = {normalization.channels};
  }
}

void AddWeights(const std::string& layer, const Dense& dense, Tensors& tensors) {
  tensors[layer + "/kernel"] = {dense.out, dense.in};
  tensors[layer + "/bias"] = {dense.out};
}

template <typename WithoutWeights>
void AddWeights(const std::string&, const WithoutWeights&, Tensors&) {}

}  // namespace

Tensors ExpectedTensors(const Architecture& architecture) {
  Tensors tensors;
  for (const Layer& layer : architecture.layers) {
    std::visit([&](const auto& operation) { AddWeights(layer.name, operation, tensors); }, layer.operation);
  }
  return tensors;
}

absl::Status CheckTensors(const Tensors& expected, const Tensors& actual) {
  constexpr size_t kMostNamed = 8;
  std::vector<std::string> problems;
  for (const auto& [name, shape] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) {
      problems.push_back(absl::StrCat("missing ", name, " ", ToText(shape)));
    } else if (found->second != shape) {
      problems.push_back(absl::StrCat(name, ": expected ", ToText(shape), ", got ", ToText(found->second)));
    }
  }
  for (const auto& [name, shape] : actual) {
    if (!expected.contains(name)) problems.push_back(absl::StrCat("unexpected ", name, " ", ToText(shape)));
  }
  if (problems.empty()) return absl::OkStatus();
  const size_t named = std::min(problems.size(), kMostNamed);
  std::string message = absl::StrJoin(problems.begin(), problems.begin() + static_cast<ptrdiff_t>(named), "; ");
  if (named < problems.size()) absl::StrAppend(&message, "; and ", problems.size() - named, " more");
  return absl::DataLossError(message);
}

absl::Status CheckWeights(const Architecture& architecture, const weights::Safetensors& weights) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, view] : weights.tensors()) shapes[name] = view.shape;
  RETURN_IF_ERROR(CheckTensors(ExpectedTensors(architecture), shapes));
  for (const auto& [name, view] : weights.tensors()) {
    if (view.dtype == weights::DType::kF32) continue;
    return absl::DataLossError(absl::StrCat(name, ": expected F32, got ", weights::NameOf(view.dtype)));
  }
  return absl::OkStatus();
}

std::string ToText(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace graft::network
