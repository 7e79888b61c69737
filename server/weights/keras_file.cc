#include "server/weights/keras_file.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/network/architecture.h"
#include "core/network/expected_tensors.h"
#include "server/weights/hdf5_file.h"
#include "server/weights/weight_file.h"

namespace graft::server {
namespace {

using network::Shape;

// Where each tensor of ours lies in the file.
using Locations = std::map<std::string, std::string>;

// Keras splits an attribute above 64 kB into name0, name1, ...
absl::StatusOr<std::vector<std::string>> ReadNames(const Hdf5File& file, const std::string& group,
                                                   const std::string& attribute) {
  auto names = file.ReadStrings(group, attribute);
  if (!absl::IsNotFound(names.status())) return names;
  std::vector<std::string> all;
  for (int chunk = 0;; ++chunk) {
    auto part = file.ReadStrings(group, absl::StrCat(attribute, chunk));
    if (absl::IsNotFound(part.status()) && chunk > 0) return all;
    if (absl::IsNotFound(part.status())) return names.status();
    RETURN_IF_ERROR(part.status());
    all.insert(all.end(), part->begin(), part->end());
  }
}

// "Conv1/Conv1/kernel:0" to "kernel".
std::string VariableOf(const std::string& weight) {
  const std::string last = weight.substr(weight.rfind('/') + 1);
  return last.substr(0, last.find(':'));
}

// The dense layer has had both names in Keras Applications' MobileNetV2.
bool IsTop(const std::string& layer) {
  return layer == "predictions" || layer == "Logits";
}

absl::StatusOr<Locations> Locate(const Hdf5File& file, bool with_top) {
  const std::string root = file.HasGroup("/model_weights") ? "/model_weights" : "/";
  auto layers = ReadNames(file, root, "layer_names");
  if (absl::IsNotFound(layers.status())) {
    return absl::InvalidArgumentError(
        "no layer_names attribute: not a Keras weights file of the layout that Keras Applications publishes "
        "(Keras 3's .weights.h5 is another)");
  }
  RETURN_IF_ERROR(layers.status());
  Locations locations;
  for (const std::string& layer : *layers) {
    if (!with_top && IsTop(layer)) continue;
    const std::string group = absl::StrCat(root == "/" ? "" : root, "/", layer);
    ASSIGN_OR_RETURN(const std::vector<std::string> weights, ReadNames(file, group, "weight_names"));
    for (const std::string& weight : weights) {
      const std::string name = absl::StrCat(IsTop(layer) ? "predictions" : layer, "/", VariableOf(weight));
      if (!locations.emplace(name, absl::StrCat(group, "/", weight)).second) {
        return absl::InvalidArgumentError(absl::StrCat("two weights named ", name));
      }
    }
  }
  return locations;
}

// Keras' axis that each of our axes is: HWIO to OIHW, HWC1 to C1HW, [in, out] to [out, in]; others stay.
std::vector<size_t> AxesOf(const std::string& name, size_t rank) {
  if (absl::EndsWith(name, "/depthwise_kernel") && rank == 4) return {2, 3, 0, 1};
  if (absl::EndsWith(name, "/kernel") && rank == 4) return {3, 2, 0, 1};
  if (absl::EndsWith(name, "/kernel") && rank == 2) return {1, 0};
  std::vector<size_t> same(rank);
  std::iota(same.begin(), same.end(), 0);
  return same;
}

Shape PermuteShape(const Shape& shape, const std::vector<size_t>& axes) {
  Shape permuted;
  for (size_t axis : axes) permuted.push_back(shape[axis]);
  return permuted;
}

std::vector<float> Permute(const std::vector<float>& values, const Shape& shape, const std::vector<size_t>& axes) {
  std::vector<size_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(shape[i]);
  std::vector<float> permuted;
  permuted.reserve(values.size());
  std::vector<int64_t> position(shape.size(), 0);  // in the permuted tensor
  while (permuted.size() < values.size()) {
    size_t offset = 0;
    for (size_t i = 0; i < axes.size(); ++i) offset += static_cast<size_t>(position[i]) * strides[axes[i]];
    permuted.push_back(values[offset]);
    for (size_t i = axes.size(); i-- > 0;) {
      if (++position[i] < shape[axes[i]]) break;
      position[i] = 0;
    }
  }
  return permuted;
}

absl::StatusOr<std::string> ReadTensors(const std::string& path, absl::string_view backbone, bool with_top) {
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(backbone, with_top));
  ASSIGN_OR_RETURN(const std::unique_ptr<Hdf5File> file, Hdf5File::Open(path));
  ASSIGN_OR_RETURN(const Locations locations, Locate(*file, with_top));

  // All shapes are compared before a value is read, so that one message tells the whole story.
  std::map<std::string, Shape> keras_shapes, shapes;
  for (const auto& [name, location] : locations) {
    ASSIGN_OR_RETURN(keras_shapes[name], file->ReadShape(location));
    shapes[name] = PermuteShape(keras_shapes[name], AxesOf(name, keras_shapes[name].size()));
  }
  RETURN_IF_ERROR(network::CheckTensors(network::ExpectedTensors(architecture), shapes));

  std::map<std::string, std::vector<float>> values;
  for (const auto& [name, location] : locations) {
    ASSIGN_OR_RETURN(const std::vector<float> stored, file->ReadFloats(location));
    values[name] = Permute(stored, keras_shapes[name], AxesOf(name, keras_shapes[name].size()));
  }
  return ToWeightFile(backbone, shapes, values);
}

}  // namespace

absl::StatusOr<std::string> ReadKerasWeights(const std::string& path, absl::string_view backbone, KerasImport options) {
  auto bytes = StatusFromThrow(absl::StatusCode::kInternal, "read weights",
                               [&] { return ReadTensors(path, backbone, options.with_top); });
  if (!bytes.ok()) return WithContext(bytes.status(), absl::StrCat("import ", backbone, " from ", path));
  return bytes;
}

}  // namespace graft::server
