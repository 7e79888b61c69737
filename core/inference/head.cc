#include "core/inference/head.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/registry/manifest.h"
#include "core/weights/safetensors.h"

namespace graft::inference {
namespace {

absl::StatusOr<weights::TensorView> FindTensor(const weights::Safetensors& file, const std::string& name, size_t rank) {
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end()) return absl::DataLossError(absl::StrCat("no tensor ", name));
  const weights::TensorView& tensor = found->second;
  if (tensor.dtype == weights::DType::kF32 && tensor.shape.size() == rank) return tensor;
  return absl::DataLossError(absl::StrCat(name, ": expected rank ", rank, " F32, got ", weights::NameOf(tensor.dtype),
                                          " [", absl::StrJoin(tensor.shape, ", "), "]"));
}

std::vector<float> ToFloats(const weights::TensorView& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(float));
  return values;
}

absl::Status ReadTensors(const registry::ModelVersion& version, LoadedHead& head) {
  ASSIGN_OR_RETURN(const weights::Safetensors file, weights::Safetensors::Load(version.head_path, version.head_sha256));
  ASSIGN_OR_RETURN(const weights::TensorView kernel, FindTensor(file, "head/kernel", 2));
  ASSIGN_OR_RETURN(const weights::TensorView bias, FindTensor(file, "head/bias", 1));
  const auto classes = static_cast<int64_t>(head.labels.size());
  if (kernel.shape[1] != classes || bias.shape[0] != classes) {
    return absl::DataLossError(absl::StrCat("head/kernel is [", absl::StrJoin(kernel.shape, ", "), "], head/bias [",
                                            bias.shape[0], "], the manifest has ", classes, " labels"));
  }
  head.dimension = static_cast<int>(kernel.shape[0]);
  head.kernel = ToFloats(kernel);
  head.bias = ToFloats(bias);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const LoadedHead>> ReadHead(const registry::ModelVersion& version) {
  ASSIGN_OR_RETURN(registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  auto head = std::make_shared<LoadedHead>();
  head->model = version.model;
  head->model_version = VersionName("models", version.model, version.number);
  head->backbone = version.backbone;
  head->backbone_sha256 = version.backbone_sha256;
  head->backbone_path = version.backbone_path;
  head->preprocess = {.height = manifest.preprocess.height,
                      .width = manifest.preprocess.width,
                      .resize = manifest.preprocess.resize,
                      .decode = manifest.preprocess.decode};
  head->precision = manifest.precision == "bf16" ? engine::Precision::kBf16 : engine::Precision::kF32;
  head->temperature = static_cast<float>(manifest.temperature);
  head->labels = std::move(manifest.labels);
  RETURN_IF_ERROR(ReadTensors(version, *head));
  return head;
}

std::vector<float> Logits(const LoadedHead& head, absl::Span<const float> features) {
  std::vector<float> values = head.bias;
  const float* row = head.kernel.data();
  for (const float feature : features) {
    for (float& value : values) value += feature * *row++;
  }
  return values;
}

std::vector<float> SoftmaxAt(float temperature, std::vector<float> values) {
  const float largest = *std::max_element(values.begin(), values.end());
  float sum = 0;
  for (float& value : values) sum += value = std::exp((value - largest) / temperature);
  for (float& value : values) value /= sum;
  return values;
}

}  // namespace

int64_t LoadedHead::bytes() const {
  size_t total = sizeof(*this) + backbone_path.size() + (kernel.size() + bias.size()) * sizeof(float);
  for (const std::string& label : labels) total += sizeof(std::string) + label.size();
  return static_cast<int64_t>(total);
}

absl::StatusOr<std::shared_ptr<const LoadedHead>> LoadHead(const registry::ModelVersion& version) {
  absl::StatusOr<std::shared_ptr<const LoadedHead>> head = ReadHead(version);
  if (head.ok()) return head;
  return WithContext(head.status(),
                     absl::StrCat("load head of ", VersionName("models", version.model, version.number)));
}

std::vector<Prediction> Predict(const LoadedHead& head, absl::Span<const float> features, int top_k) {
  const std::vector<float> logits = Logits(head, features);
  const std::vector<float> probabilities = SoftmaxAt(head.temperature, logits);
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min<size_t>(static_cast<size_t>(top_k), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](int a, int b) { return std::pair(-logits[a], a) < std::pair(-logits[b], b); });
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < count; ++i) {
    const int index = order[i];
    predictions.push_back({.label = head.labels[index], .probability = probabilities[index], .index = index});
  }
  return predictions;
}

}  // namespace graft::inference
