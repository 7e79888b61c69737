#include "core/train/head_tensors.h"

#include <torch/torch.h>

namespace graft::train {

torch::Tensor ToTensor(const std::vector<float>& values, at::IntArrayRef shape, const at::Device& device) {
  return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat32).clone().to(device);
}

std::vector<float> ToVector(const torch::Tensor& tensor) {
  const torch::Tensor on_cpu = tensor.to(torch::kCPU).contiguous();
  return {on_cpu.const_data_ptr<float>(), on_cpu.const_data_ptr<float>() + on_cpu.numel()};
}

HeadTensors ToTensors(const Head& head, const at::Device& device) {
  return {.kernel = ToTensor(head.kernel, {head.dimension, head.classes}, device),
          .bias = ToTensor(head.bias, {head.classes}, device)};
}

Head ToHead(const HeadTensors& tensors) {
  return {.dimension = static_cast<int>(tensors.kernel.size(0)),
          .classes = static_cast<int>(tensors.kernel.size(1)),
          .kernel = ToVector(tensors.kernel),
          .bias = ToVector(tensors.bias)};
}

torch::Tensor FeatureTensor(const LabelledFeatures& features, const at::Device& device) {
  return ToTensor(features.values, {static_cast<int64_t>(features.labels.size()), features.dimension}, device);
}

torch::Tensor LabelTensor(const LabelledFeatures& features, const at::Device& device) {
  return torch::tensor(std::vector<int64_t>(features.labels.begin(), features.labels.end())).to(device);
}

weights::TensorView ViewOf(const torch::Tensor& tensor) {
  return {.dtype = weights::DType::kF32,
          .shape = tensor.sizes().vec(),
          .data = {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()}};
}

}  // namespace graft::train
