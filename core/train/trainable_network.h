// A backbone and its head, of which some layers train.
#pragma once

#include <torch/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/network/backbone_catalog.h"
#include "core/network/blocks.h"
#include "core/network/graph_module.h"
#include "core/train/fine_tuner.h"
#include "core/train/head_trainer.h"
#include "core/train/weight_updater.h"
#include "core/weights/safetensors.h"

namespace graft::train {

using TensorsByName = std::map<std::string, torch::Tensor>;

// Everything is frozen until StartPhase. Every method throws what LibTorch throws. One thread at a time.
class TrainableNetwork {
 public:
  // Errors: those of network::Backbone::Create.
  static absl::StatusOr<std::unique_ptr<TrainableNetwork>> Create(const std::string& backbone,
                                                                  const weights::Safetensors& weights, const Head& head,
                                                                  const std::string& device);
  // Convolutions' kernels become channels-last. head.dimension is that of the module's features.
  TrainableNetwork(std::shared_ptr<network::GraphModule> module, network::Normalization normalization, const Head& head,
                   const std::string& device);

  void StartPhase(const PhaseOptions& phase);
  // What the phase trains: the weights themselves.
  std::vector<TrainableTensor> Trained() const;
  // Every tensor that one of `phases` changes, running statistics of batch norms included: the tensors themselves.
  TensorsByName ChangedBy(const std::vector<PhaseOptions>& phases) const;

  // [N, size, size, 3] uint8, any device, to [N, 3, size, size] float32, channels last, on the network's.
  torch::Tensor Normalize(const torch::Tensor& images) const;
  // False where the phase trains the first layer.
  bool HasFrozenPart() const { return boundary_ > 0; }
  // The part of the network that the phase leaves as it is: normalised images to what the rest reads, no gradients.
  torch::Tensor RunFrozen(const torch::Tensor& images, bool bf16);
  // The rest: [N, classes] logits, float32, with gradients where they are enabled. `training`: batch norms of a phase
  // with BatchNormMode::kTrain use and move statistics.
  torch::Tensor RunTrained(const torch::Tensor& boundary, bool bf16, bool training);

  // From now on `call` is made between the blocks of both parts, in forward and in backward passes, there by LibTorch's
  // threads. What it throws, derived from std::exception, ends the pass; gradients and statistics are then between two
  // states.
  void CallBetweenBlocks(std::function<void()> call) { between_blocks_ = std::move(call); }
  // Those that RunTrained moves in the phase, by reference.
  std::vector<torch::Tensor> MovedStatistics() const;

  int classes() const { return static_cast<int>(bias_.size(0)); }
  torch::Device device() const { return device_; }
  Head CopyHead() const;
  // safetensors bytes of all of the backbone's weights; equal weights give equal bytes.
  std::string SerializeBackbone() const;

 private:
  // How far a layer is from the head: 1 for the last block and what follows it, the number of blocks for the first
  // block, one more for the stem.
  int DepthOf(int layer) const;
  bool IsTrained(int layer, const PhaseOptions& phase) const;
  torch::Tensor RunLayers(int first, const torch::Tensor& value, int last, bool bf16);

  const std::shared_ptr<network::GraphModule> module_;
  const std::vector<network::Block> blocks_;
  const network::Normalization normalization_;
  const torch::Device device_;
  torch::Tensor kernel_, bias_;  // of the head: [dimension, classes], [classes]
  PhaseOptions phase_;
  int boundary_;                                // the last layer of the frozen part
  std::vector<torch::nn::Module*> statistics_;  // batch norms whose running statistics train
  std::function<void()> between_blocks_;        // or nothing
};

}  // namespace graft::train
