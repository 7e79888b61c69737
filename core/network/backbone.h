// A pretrained backbone as it was trained: LibTorch modules under Keras' names, frozen. What training builds on; for
// plain forward passes core/engine is several times faster.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/network/backbone_catalog.h"
#include "core/network/graph_module.h"
#include "core/weights/safetensors.h"

namespace graft::network {

// Thread-safe between calls of To.
class Backbone {
 public:
  struct Options {
    bool with_top = false;  // with Keras' ImageNet head: only to check the numbers
  };
  // On the CPU, in eval mode, no gradients. DataLoss naming the weights that are missing, unexpected or misshapen,
  // InvalidArgument for an unknown backbone.
  static absl::StatusOr<std::unique_ptr<Backbone>> Create(absl::string_view name, const weights::Safetensors& weights,
                                                          Options options);

  // Moves the weights; a LibTorch device: "cpu", "cuda:0". Internal or ResourceExhausted if that fails.
  absl::Status To(const std::string& device);

  // images: [N, H, W, 3] uint8 RGB, any device. Results are float32 on the backbone's device. InvalidArgument for
  // another shape or type.
  absl::StatusOr<torch::Tensor> Features(const torch::Tensor& images) const;       // [N, feature_dimension]
  absl::StatusOr<torch::Tensor> Probabilities(const torch::Tensor& images) const;  // [N, 1000]; needs with_top

  const BackboneFacts& facts() const { return facts_; }
  const std::shared_ptr<GraphModule>& module() const { return module_; }

 private:
  Backbone(BackboneFacts facts, std::shared_ptr<GraphModule> module)
      : facts_(std::move(facts)), module_(std::move(module)) {}
  absl::StatusOr<torch::Tensor> Run(const torch::Tensor& images, int last) const;

  const BackboneFacts facts_;
  const std::shared_ptr<GraphModule> module_;
  torch::Device device_ = torch::kCPU;
};

// [N, H, W, 3] uint8 RGB to what GraphModule::Forward takes, channels last. Throws what LibTorch throws.
torch::Tensor NormalizeImages(const torch::Tensor& images, Normalization normalization, torch::Device device);

}  // namespace graft::network
