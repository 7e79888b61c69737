#include "core/network/graph_module.h"

#include <torch/torch.h>

#include <utility>

namespace graft::network {
namespace {

torch::Tensor PadWithZeros(const torch::Tensor& input, Padding padding) {
  if (padding.top_left == 0 && padding.bottom_right == 0) return input;
  return torch::constant_pad_nd(input, {padding.top_left, padding.bottom_right, padding.top_left, padding.bottom_right},
                                0);
}

class BatchNormalizationModule : public torch::nn::Module {
 public:
  explicit BatchNormalizationModule(const BatchNormalization& shape) : shape_(shape) {
    gamma_ = register_parameter("gamma", torch::ones({shape.channels}));
    beta_ = register_parameter("beta", torch::zeros({shape.channels}));
    moving_mean_ = register_buffer("moving_mean", torch::zeros({shape.channels}));
    moving_variance_ = register_buffer("moving_variance", torch::ones({shape.channels}));
  }

  torch::Tensor Forward(const torch::Tensor& input) {
    // LibTorch's momentum is the share of the new statistics, Keras' that of the old ones.
    return torch::batch_norm(input, gamma_, beta_, moving_mean_, moving_variance_, is_training(), 1 - shape_.momentum,
                             shape_.epsilon, /*cudnn_enabled=*/true);
  }

  // On the running statistics: scale x input + shift.
  torch::Tensor Scale() const { return gamma_ * torch::rsqrt(moving_variance_ + shape_.epsilon); }
  torch::Tensor Shift(const torch::Tensor& scale) const { return beta_ - moving_mean_ * scale; }

 private:
  const BatchNormalization shape_;
  torch::Tensor gamma_, beta_, moving_mean_, moving_variance_;
};

class ConvolutionModule : public torch::nn::Module {
 public:
  explicit ConvolutionModule(const Convolution& shape) : shape_(shape) {
    kernel_ = register_parameter(shape.depthwise ? "depthwise_kernel" : "kernel",
                                 torch::empty({shape.out, shape.depthwise ? 1 : shape.in, shape.kernel, shape.kernel}));
    if (shape.has_bias) bias_ = register_parameter("bias", torch::empty({shape.out}));
  }

  torch::Tensor Forward(const torch::Tensor& input) const { return Convolve(input, kernel_, bias_); }

  // With the batch norm that follows.
  torch::Tensor Forward(const torch::Tensor& input, const BatchNormalizationModule& normalization) const {
    const torch::Tensor scale = normalization.Scale();
    const torch::Tensor shift = normalization.Shift(scale);
    return Convolve(input, kernel_ * scale.view({-1, 1, 1, 1}), shape_.has_bias ? bias_ * scale + shift : shift);
  }

 private:
  torch::Tensor Convolve(const torch::Tensor& input, const torch::Tensor& kernel, const torch::Tensor& bias) const {
    const bool symmetric = shape_.padding.top_left == shape_.padding.bottom_right;
    const int groups = shape_.depthwise ? shape_.in : 1;
    return torch::conv2d(
        symmetric ? input : PadWithZeros(input, shape_.padding), kernel, bias,
        torch::IntArrayRef{shape_.stride, shape_.stride},
        symmetric ? torch::IntArrayRef{shape_.padding.top_left, shape_.padding.top_left} : torch::IntArrayRef{0, 0},
        torch::IntArrayRef{1, 1}, groups);
  }

  const Convolution shape_;
  torch::Tensor kernel_, bias_;
};

class DenseModule : public torch::nn::Module {
 public:
  explicit DenseModule(const Dense& shape) {
    kernel_ = register_parameter("kernel", torch::empty({shape.out, shape.in}));
    bias_ = register_parameter("bias", torch::empty({shape.out}));
  }

  torch::Tensor Forward(const torch::Tensor& input) {
    return torch::softmax(torch::linear(input.flatten(1), kernel_, bias_), 1);
  }

 private:
  torch::Tensor kernel_, bias_;
};

std::shared_ptr<torch::nn::Module> MakeModule(const Convolution& shape) {
  return std::make_shared<ConvolutionModule>(shape);
}
std::shared_ptr<torch::nn::Module> MakeModule(const BatchNormalization& shape) {
  return std::make_shared<BatchNormalizationModule>(shape);
}
std::shared_ptr<torch::nn::Module> MakeModule(const Dense& shape) {
  return std::make_shared<DenseModule>(shape);
}
template <typename WithoutWeights>
std::shared_ptr<torch::nn::Module> MakeModule(const WithoutWeights&) {
  return nullptr;
}

// Its backward pass reads the result, not a copy of the input as clamp_'s does.
torch::Tensor ClampInPlace(torch::Tensor values) {
  return torch::hardtanh_(values, 0, 6);
}

// Computes one layer's value from those of its inputs.
struct LayerRunner {
  torch::nn::Module* module;
  std::vector<torch::Tensor> inputs;
  bool in_place;

  torch::Tensor operator()(const Input&) const { return inputs[0]; }
  torch::Tensor operator()(const Convolution&) const { return module->as<ConvolutionModule>()->Forward(inputs[0]); }
  torch::Tensor operator()(const BatchNormalization&) const {
    return module->as<BatchNormalizationModule>()->Forward(inputs[0]);
  }
  torch::Tensor operator()(const Dense&) const { return module->as<DenseModule>()->Forward(inputs[0]); }
  torch::Tensor operator()(const Activation& activation) const {
    switch (activation.nonlinearity) {
      case Nonlinearity::kRelu:
        return in_place ? inputs[0].relu_() : torch::relu(inputs[0]);
      case Nonlinearity::kRelu6:
        return in_place ? ClampInPlace(inputs[0]) : torch::hardtanh(inputs[0], 0, 6);
      case Nonlinearity::kSilu:
        return torch::silu(inputs[0]);
      case Nonlinearity::kSigmoid:
        return torch::sigmoid(inputs[0]);
    }
    return {};
  }
  torch::Tensor operator()(const MaxPool& pool) const {
    return torch::max_pool2d(PadWithZeros(inputs[0], pool.padding), pool.kernel, pool.stride);
  }
  torch::Tensor operator()(const Add&) const { return inputs[0] + inputs[1]; }
  torch::Tensor operator()(const Multiply&) const { return inputs[0] * inputs[1]; }
  torch::Tensor operator()(const GlobalAverage&) const { return inputs[0].mean({2, 3}, /*keepdim=*/true); }
};

}  // namespace

GraphModule::GraphModule(Architecture architecture) : architecture_(std::move(architecture)) {
  const std::vector<Layer>& layers = architecture_.layers;
  readers_.resize(layers.size(), 0);
  last_uses_.resize(layers.size(), -1);
  for (size_t i = 0; i < layers.size(); ++i) {
    auto module = std::visit([](const auto& operation) { return MakeModule(operation); }, layers[i].operation);
    if (module != nullptr) register_module(layers[i].name, module);
    layer_modules_.push_back(std::move(module));
    for (int input : layers[i].inputs) {
      ++readers_[static_cast<size_t>(input)];
      last_uses_[static_cast<size_t>(input)] = static_cast<int>(i);
    }
  }
}

torch::Tensor GraphModule::ForwardFrom(int first, const torch::Tensor& value, int last) {
  std::vector<torch::Tensor> values(architecture_.layers.size());
  values[static_cast<size_t>(first)] = value;
  for (int i = first + 1; i <= last; ++i) {
    const Layer& layer = architecture_.layers[static_cast<size_t>(i)];
    // The caller's tensor and one that a later layer reads too stay as they are.
    const bool in_place = layer.inputs[0] > first && readers_[static_cast<size_t>(layer.inputs[0])] == 1;
    std::vector<torch::Tensor> inputs;
    for (int input : layer.inputs) {
      const auto index = static_cast<size_t>(input);
      inputs.push_back(last_uses_[index] == i ? std::move(values[index]) : values[index]);
    }
    const int folded_into = FoldedInto(i, last);
    if (folded_into < 0) {
      values[static_cast<size_t>(i)] = Compute(i, std::move(inputs), in_place);
    } else {
      values[static_cast<size_t>(folded_into)] = ModuleOf(i)->as<ConvolutionModule>()->Forward(
          inputs[0], *ModuleOf(folded_into)->as<BatchNormalizationModule>());
      i = folded_into;
    }
  }
  return values[static_cast<size_t>(last)];
}

int GraphModule::FoldedInto(int layer, int last) const {
  const auto index = static_cast<size_t>(layer);
  const bool alone = readers_[index] == 1 && last_uses_[index] == layer + 1 && layer < last;
  return alone && std::holds_alternative<Convolution>(architecture_.layers[index].operation) &&
                 std::holds_alternative<BatchNormalization>(architecture_.layers[index + 1].operation) &&
                 !ModuleOf(layer + 1)->is_training()
             ? layer + 1
             : -1;
}

torch::Tensor GraphModule::Compute(int layer, std::vector<torch::Tensor> inputs, bool in_place) const {
  const LayerRunner runner{ModuleOf(layer), std::move(inputs), in_place};
  return std::visit(runner, architecture_.layers[static_cast<size_t>(layer)].operation);
}

}  // namespace graft::network
