#include "core/network/backbone.h"

#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/network/expected_tensors.h"
#include "core/network/normalization.h"
#include "core/network/tensor_binding.h"
#include "core/network/torch_status.h"

namespace graft::network {
namespace {

// "block_3_expand.kernel", as LibTorch joins names, to "block_3_expand/kernel".
std::string WeightName(const std::string& module_name) {
  return absl::StrReplaceAll(module_name, {{".", "/"}});
}

void FillAndFreeze(GraphModule& module, const std::map<std::string, torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.named_parameters()) {
    parameter.value().copy_(tensors.at(WeightName(parameter.key())));
    parameter.value().set_requires_grad(false);
  }
  for (auto& buffer : module.named_buffers()) buffer.value().copy_(tensors.at(WeightName(buffer.key())));
  module.eval();
}

absl::Status CheckImages(const torch::Tensor& images, int size) {
  const bool right = images.dim() == 4 && images.size(1) == size && images.size(2) == size && images.size(3) == 3 &&
                     images.scalar_type() == torch::kUInt8;
  if (right) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("images: expected [N, ", size, ", ", size, ", 3] uint8, got ",
                                                 ToText(images.sizes().vec()), " ",
                                                 std::string(c10::toString(images.scalar_type()))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backbone>> Backbone::Create(absl::string_view name, const weights::Safetensors& weights,
                                                           Options options) {
  ASSIGN_OR_RETURN(const BackboneFacts facts, FindBackbone(name));
  ASSIGN_OR_RETURN(const Architecture architecture, FindArchitecture(name, options.with_top));
  const std::string doing = absl::StrCat("load ", name);
  const auto tensors = BindTensors(architecture, weights);
  if (!tensors.ok()) return WithContext(tensors.status(), doing);
  return StatusFromThrow(absl::StatusCode::kInternal, doing, [&] {
    auto module = std::make_shared<GraphModule>(architecture);
    FillAndFreeze(*module, *tensors);
    return std::unique_ptr<Backbone>(new Backbone(facts, std::move(module)));
  });
}

absl::Status Backbone::To(const std::string& device) {
  return StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("move ", facts_.name, " to ", device), [&] {
    const torch::Device target(device);
    module_->to(target);
    device_ = target;
  });
}

absl::StatusOr<torch::Tensor> Backbone::Features(const torch::Tensor& images) const {
  ASSIGN_OR_RETURN(const torch::Tensor pooled, Run(images, module_->architecture().features));
  return pooled.flatten(1);
}

absl::StatusOr<torch::Tensor> Backbone::Probabilities(const torch::Tensor& images) const {
  const Architecture& architecture = module_->architecture();
  const int last = static_cast<int>(architecture.layers.size()) - 1;
  if (last == architecture.features) return absl::FailedPreconditionError(facts_.name + " was loaded without its top");
  return Run(images, last);
}

absl::StatusOr<torch::Tensor> Backbone::Run(const torch::Tensor& images, int last) const {
  RETURN_IF_ERROR(CheckImages(images, facts_.input_size));
  return StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("run ", facts_.name), [&] {
    const torch::NoGradGuard no_grad;
    return module_->Forward(NormalizeImages(images, facts_.normalization, device_), last);
  });
}

torch::Tensor NormalizeImages(const torch::Tensor& images, Normalization normalization, torch::Device device) {
  ChannelAffine affine = AffineOf(normalization);
  const auto channel = [&](std::array<float, 3>& values) {
    return torch::from_blob(values.data(), {3}, torch::kFloat32).to(device, /*non_blocking=*/false, /*copy=*/true);
  };
  torch::Tensor normalized = images.to(device).to(torch::kFloat32);
  normalized.mul_(channel(affine.scale)).add_(channel(affine.shift));
  return normalized.permute({0, 3, 1, 2});  // NHWC memory seen as NCHW is LibTorch's channels-last
}

}  // namespace graft::network
