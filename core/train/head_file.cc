#include "core/train/head_file.h"

#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"

namespace graft::train {
namespace {

weights::TensorView ViewOf(const std::vector<float>& values, std::vector<int64_t> shape) {
  return {.dtype = weights::DType::kF32,
          .shape = std::move(shape),
          .data = absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float))};
}

absl::StatusOr<std::vector<float>> TakeTensor(const std::string& name, const std::vector<int64_t>& shape,
                                              const std::map<std::string, weights::TensorView>& tensors) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.dtype != weights::DType::kF32 || found->second.shape != shape) {
    return absl::DataLossError(absl::StrCat("no float32 tensor '", name, "' of the expected shape"));
  }
  std::vector<float> values(found->second.data.size() / sizeof(float));
  memcpy(values.data(), found->second.data.data(), found->second.data.size());
  return values;
}

}  // namespace

void AddHead(const std::string& prefix, const Head& head, std::map<std::string, weights::TensorView>& tensors) {
  tensors[prefix + "/kernel"] = ViewOf(head.kernel, {head.dimension, head.classes});
  tensors[prefix + "/bias"] = ViewOf(head.bias, {head.classes});
}

absl::StatusOr<Head> TakeHead(const std::string& prefix, int dimension, int classes,
                              const std::map<std::string, weights::TensorView>& tensors) {
  Head head{.dimension = dimension, .classes = classes};
  ASSIGN_OR_RETURN(head.kernel, TakeTensor(prefix + "/kernel", {dimension, classes}, tensors));
  ASSIGN_OR_RETURN(head.bias, TakeTensor(prefix + "/bias", {classes}, tensors));
  return head;
}

std::string SerializeHead(const Head& head) {
  std::map<std::string, weights::TensorView> tensors;
  AddHead("head", head, tensors);
  return weights::Serialize(tensors, {});
}

}  // namespace graft::train
