#include "core/train/trainable_network.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/network/backbone.h"
#include "core/train/head_tensors.h"

namespace graft::train {
namespace {

constexpr char kHeadKernel[] = "head/kernel", kHeadBias[] = "head/bias";

bool IsBatchNorm(const network::Layer& layer) {
  return std::holds_alternative<network::BatchNormalization>(layer.operation);
}

// While it lives, convolutions on `device` compute in bfloat16 and keep their weights in float32.
class Autocast {
 public:
  Autocast(torch::Device device, bool enabled) : type_(device.type()), enabled_(enabled) {
    if (!enabled_) return;
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::set_autocast_dtype(type_, torch::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!enabled_) return;
    // Casts that are remembered would outlive the weights' next update.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  const c10::DeviceType type_;
  const bool enabled_;
};

// While it lives, these batch norms use and move statistics; or not.
class TrainingMode {
 public:
  TrainingMode(const std::vector<torch::nn::Module*>& modules, bool training) : modules_(modules) {
    for (torch::nn::Module* module : modules_) module->train(training);
  }
  ~TrainingMode() {
    for (torch::nn::Module* module : modules_) module->eval();
  }
  TrainingMode(const TrainingMode&) = delete;
  TrainingMode& operator=(const TrainingMode&) = delete;

 private:
  const std::vector<torch::nn::Module*>& modules_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TrainableNetwork>> TrainableNetwork::Create(const std::string& backbone,
                                                                           const weights::Safetensors& weights,
                                                                           const Head& head,
                                                                           const std::string& device) {
  ASSIGN_OR_RETURN(const std::unique_ptr<network::Backbone> frozen, network::Backbone::Create(backbone, weights, {}));
  return std::make_unique<TrainableNetwork>(frozen->module(), frozen->facts().normalization, head, device);
}

TrainableNetwork::TrainableNetwork(std::shared_ptr<network::GraphModule> module, network::Normalization normalization,
                                   const Head& head, const std::string& device)
    : module_(std::move(module)),
      blocks_(network::BlocksOf(module_->architecture())),
      normalization_(normalization),
      device_(device),
      boundary_(module_->architecture().features) {
  const torch::NoGradGuard no_grad;
  module_->to(device_);
  module_->eval();
  for (torch::Tensor& parameter : module_->parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  }
  HeadTensors tensors = ToTensors(head, device_);
  kernel_ = std::move(tensors.kernel);
  bias_ = std::move(tensors.bias);
}

int TrainableNetwork::DepthOf(int layer) const {
  const auto ends_before = [](const network::Block& block, int index) { return block.last < index; };
  const auto block = std::lower_bound(blocks_.begin(), blocks_.end(), layer, ends_before);
  if (block == blocks_.end()) return 1;
  const int depth = static_cast<int>(blocks_.end() - block);
  return layer < block->first ? depth + 1 : depth;  // only the stem lies before a block and in none
}

bool TrainableNetwork::IsTrained(int layer, const PhaseOptions& phase) const {
  switch (phase.trainable) {
    case Trainable::kHead:
      return false;
    case Trainable::kLastBlocks:
      return DepthOf(layer) <= phase.last_blocks;
    case Trainable::kAll:
      return true;
  }
  return false;
}

void TrainableNetwork::StartPhase(const PhaseOptions& phase) {
  phase_ = phase;
  statistics_.clear();
  const network::Architecture& architecture = module_->architecture();
  boundary_ = architecture.features;
  for (int layer = architecture.features; layer > 0; --layer) {
    const bool trains = IsTrained(layer, phase);
    if (trains) boundary_ = layer - 1;
    torch::nn::Module* module = module_->ModuleOf(layer);
    if (module == nullptr) continue;
    for (torch::Tensor& parameter : module->parameters()) parameter.set_requires_grad(trains);
    const bool moves = trains && phase.batch_norm == BatchNormMode::kTrain;
    if (moves && IsBatchNorm(architecture.layers[static_cast<size_t>(layer)])) statistics_.push_back(module);
  }
  kernel_.set_requires_grad(true);
  bias_.set_requires_grad(true);
}

std::vector<TrainableTensor> TrainableNetwork::Trained() const {
  std::vector<TrainableTensor> tensors = {{.name = kHeadKernel, .value = kernel_},
                                          {.name = kHeadBias, .value = bias_, .decays = false}};
  const network::Architecture& architecture = module_->architecture();
  for (int layer = boundary_ + 1; layer <= architecture.features; ++layer) {
    const torch::nn::Module* module = module_->ModuleOf(layer);
    if (module == nullptr) continue;
    const std::string& name = architecture.layers[static_cast<size_t>(layer)].name;
    for (const auto& parameter : module->named_parameters()) {
      tensors.push_back({.name = absl::StrCat(name, "/", parameter.key()),
                         .value = parameter.value(),
                         .learning_rate_factor = std::pow(phase_.layer_decay, DepthOf(layer)),
                         .decays = parameter.value().dim() > 1});  // kernels alone have more than one axis
    }
  }
  return tensors;
}

TensorsByName TrainableNetwork::ChangedBy(const std::vector<PhaseOptions>& phases) const {
  TensorsByName tensors = {{kHeadKernel, kernel_}, {kHeadBias, bias_}};
  const network::Architecture& architecture = module_->architecture();
  for (int layer = 1; layer <= architecture.features; ++layer) {
    const torch::nn::Module* module = module_->ModuleOf(layer);
    if (module == nullptr) continue;
    const auto trains = [&](const PhaseOptions& phase) { return IsTrained(layer, phase); };
    const auto moves = [&](const PhaseOptions& phase) {
      return trains(phase) && phase.batch_norm == BatchNormMode::kTrain;
    };
    const std::string prefix = architecture.layers[static_cast<size_t>(layer)].name + "/";
    if (std::any_of(phases.begin(), phases.end(), trains)) {
      for (const auto& parameter : module->named_parameters()) tensors[prefix + parameter.key()] = parameter.value();
    }
    if (std::any_of(phases.begin(), phases.end(), moves)) {
      for (const auto& buffer : module->named_buffers()) tensors[prefix + buffer.key()] = buffer.value();
    }
  }
  return tensors;
}

torch::Tensor TrainableNetwork::Normalize(const torch::Tensor& images) const {
  const torch::NoGradGuard no_grad;
  if (device_.is_cpu()) return network::NormalizeImages(images, normalization_, device_);
  return network::NormalizeImages(images.pin_memory().to(device_, /*non_blocking=*/true), normalization_, device_);
}

torch::Tensor TrainableNetwork::RunLayers(int first, const torch::Tensor& value, int last, bool bf16) {
  const Autocast autocast(device_, bf16);
  torch::Tensor reached = value;
  for (const network::Block& block : blocks_) {
    if (!between_blocks_ || block.last <= first || block.last >= last) continue;
    reached = module_->ForwardFrom(first, reached, block.last);
    first = block.last;
    between_blocks_();
    if (reached.requires_grad()) reached.register_hook([this](const torch::Tensor&) { between_blocks_(); });
  }
  return module_->ForwardFrom(first, reached, last);
}

torch::Tensor TrainableNetwork::RunFrozen(const torch::Tensor& images, bool bf16) {
  const torch::NoGradGuard no_grad;
  return RunLayers(0, images, boundary_, bf16);
}

torch::Tensor TrainableNetwork::RunTrained(const torch::Tensor& boundary, bool bf16, bool training) {
  const TrainingMode mode(statistics_, training);
  const torch::Tensor pooled = RunLayers(boundary_, boundary, module_->architecture().features, bf16);
  return torch::addmm(bias_, pooled.flatten(1).to(torch::kFloat32), kernel_);
}

std::vector<torch::Tensor> TrainableNetwork::MovedStatistics() const {
  std::vector<torch::Tensor> moved;
  for (const torch::nn::Module* module : statistics_) {
    for (const torch::Tensor& buffer : module->buffers()) moved.push_back(buffer);
  }
  return moved;
}

Head TrainableNetwork::CopyHead() const {
  const torch::NoGradGuard no_grad;
  return ToHead({.kernel = kernel_.detach(), .bias = bias_.detach()});
}

std::string TrainableNetwork::SerializeBackbone() const {
  const torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> on_cpu;  // as LibTorch joins names: "block_3_expand.kernel"
  for (const auto& parameter : module_->named_parameters()) on_cpu[parameter.key()] = parameter.value();
  for (const auto& buffer : module_->named_buffers()) on_cpu[buffer.key()] = buffer.value();
  std::map<std::string, weights::TensorView> views;
  for (auto& [name, tensor] : on_cpu) {
    tensor = tensor.detach().to(torch::kCPU).contiguous();
    std::string weight = name;
    std::replace(weight.begin(), weight.end(), '.', '/');
    views[weight] = ViewOf(tensor);
  }
  return weights::Serialize(views, {});
}

}  // namespace graft::train
