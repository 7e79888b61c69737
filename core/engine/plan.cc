#include "core/engine/plan.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace graft::engine {
namespace {

using network::Architecture;
using network::Layer;
using Tensors = std::map<std::string, torch::Tensor>;

// y = scale * x + shift per channel: a batch norm in inference mode. Double precision.
struct ScaleShift {
  torch::Tensor scale, shift;
};

ScaleShift ScaleShiftOf(const Layer& layer, const Tensors& tensors) {
  const auto& normalization = std::get<network::BatchNormalization>(layer.operation);
  const auto weight = [&](const char* name) { return tensors.at(layer.name + "/" + name).to(torch::kFloat64); };
  const torch::Tensor scale = weight("gamma") / (weight("moving_variance") + normalization.epsilon).sqrt();
  return {scale, weight("beta") - weight("moving_mean") * scale};
}

// Turns layers into steps, looking ahead for what can go into the step at hand.
class Compiler {
 public:
  Compiler(const Architecture& architecture, const Tensors& tensors, torch::Device device, torch::Dtype number)
      : layers_(architecture.layers), tensors_(tensors), device_(device), number_(number), readers_(layers_.size()) {
    for (int i = 0; i < Count(); ++i) {
      for (int input : At(i).inputs) readers_[static_cast<size_t>(input)].push_back(i);
    }
  }

  struct Compiled {
    Kernel kernel;
    std::vector<int> inputs;  // layers
    int output;               // the layer whose value it makes
  };

  // The step that begins with layer i.
  Compiled Compile(int i) {
    const Layer& layer = At(i);
    if (std::holds_alternative<network::Convolution>(layer.operation)) return CompileConvolution(i);
    if (std::holds_alternative<network::BatchNormalization>(layer.operation)) return CompileNormalization(i);
    if (const auto* activation = std::get_if<network::Activation>(&layer.operation)) {
      return {[nonlinearity = activation->nonlinearity](torch::ArrayRef<torch::Tensor> inputs) {
                torch::Tensor result = inputs[0].clone();
                Activate(result, nonlinearity);
                return result;
              },
              layer.inputs, i};
    }
    if (const auto* pool = std::get_if<network::MaxPool>(&layer.operation)) {
      return {[pool = *pool](torch::ArrayRef<torch::Tensor> inputs) {
                return at::max_pool2d(PadWithZeros(inputs[0], pool.padding), pool.kernel, pool.stride);
              },
              layer.inputs, i};
    }
    if (std::holds_alternative<network::Add>(layer.operation)) {
      return {[](torch::ArrayRef<torch::Tensor> inputs) { return inputs[0] + inputs[1]; }, layer.inputs, i};
    }
    if (std::holds_alternative<network::Multiply>(layer.operation)) {
      return {[](torch::ArrayRef<torch::Tensor> inputs) { return inputs[0] * inputs[1]; }, layer.inputs, i};
    }
    TORCH_CHECK(std::holds_alternative<network::GlobalAverage>(layer.operation), "no kernel for layer ", layer.name);
    return {[](torch::ArrayRef<torch::Tensor> inputs) {
              return inputs[0].mean({2, 3}, /*keepdim=*/true);
            },
            layer.inputs, i};
  }

 private:
  int Count() const { return static_cast<int>(layers_.size()); }
  const Layer& At(int i) const { return layers_[static_cast<size_t>(i)]; }

  // The one layer that reads layer i, if it is of this kind.
  template <typename Operation>
  std::optional<int> OnlyReader(int i) const {
    const std::vector<int>& readers = readers_[static_cast<size_t>(i)];
    if (readers.size() != 1 || !std::holds_alternative<Operation>(At(readers[0]).operation)) return std::nullopt;
    return readers[0];
  }

  torch::Tensor ToDevice(const torch::Tensor& tensor) const { return tensor.to(device_, number_); }

  Compiled CompileConvolution(int i) {
    const Layer& layer = At(i);
    const auto& shape = std::get<network::Convolution>(layer.operation);
    torch::Tensor kernel =
        tensors_.at(layer.name + (shape.depthwise ? "/depthwise_kernel" : "/kernel")).to(torch::kFloat64);
    torch::Tensor bias = shape.has_bias ? tensors_.at(layer.name + "/bias").to(torch::kFloat64)
                                        : torch::zeros({shape.out}, torch::kFloat64);
    Compiled compiled{nullptr, layer.inputs, i};
    if (const auto normalization = OnlyReader<network::BatchNormalization>(i)) {
      const ScaleShift folded = ScaleShiftOf(At(*normalization), tensors_);
      kernel = kernel * folded.scale.view({-1, 1, 1, 1});
      bias = bias * folded.scale + folded.shift;
      compiled.output = *normalization;
    }
    FusedConvolution fused{shape, At(layer.inputs[0]).size, ToDevice(kernel), ToDevice(bias), std::nullopt};
    if (const auto activation = OnlyReader<network::Activation>(compiled.output)) {
      fused.activation = std::get<network::Activation>(At(*activation).operation).nonlinearity;
      compiled.output = *activation;
    } else if (const auto added = AddedInput(i, compiled.output)) {
      fused.adds_input = true;
      compiled.inputs.push_back(*added);
      compiled.output = readers_[static_cast<size_t>(compiled.output)][0];
    }
    compiled.kernel = MakeConvolution(fused);
    return compiled;
  }

  // The other input of the addition that alone reads `value`, if it is made before the convolution at i (so that it
  // exists by then) and whoever else reads it does so before i (so that it may be overwritten).
  std::optional<int> AddedInput(int i, int value) const {
    const auto sum = OnlyReader<network::Add>(value);
    if (!sum.has_value()) return std::nullopt;
    const int other = At(*sum).inputs[0] == value ? At(*sum).inputs[1] : At(*sum).inputs[0];
    const auto reads_later = [&](int reader) { return reader > i && reader != *sum; };
    const std::vector<int>& readers = readers_[static_cast<size_t>(other)];
    if (other >= i || std::any_of(readers.begin(), readers.end(), reads_later)) return std::nullopt;
    return other;
  }

  Compiled CompileNormalization(int i) {
    const ScaleShift folded = ScaleShiftOf(At(i), tensors_);
    const torch::Tensor scale = ToDevice(folded.scale).view({1, -1, 1, 1});
    const torch::Tensor shift = ToDevice(folded.shift).view({1, -1, 1, 1});
    Compiled compiled{nullptr, At(i).inputs, i};
    std::optional<network::Nonlinearity> nonlinearity;
    if (const auto activation = OnlyReader<network::Activation>(i)) {
      nonlinearity = std::get<network::Activation>(At(*activation).operation).nonlinearity;
      compiled.output = *activation;
    }
    compiled.kernel = [scale, shift, nonlinearity](torch::ArrayRef<torch::Tensor> inputs) {
      torch::Tensor result = at::addcmul(shift, inputs[0], scale);
      if (nonlinearity.has_value()) Activate(result, *nonlinearity);
      return result;
    };
    return compiled;
  }

  const std::vector<Layer>& layers_;
  const Tensors& tensors_;
  const torch::Device device_;
  const torch::Dtype number_;
  std::vector<std::vector<int>> readers_;  // per layer, ascending
};

}  // namespace

Plan::Plan(const Architecture& architecture, const Tensors& tensors, torch::Device device, torch::Dtype number)
    : number_(number) {
  Compiler compiler(architecture, tensors, device, number);
  std::map<int, size_t> value_of = {{0, 0}};  // layer to value
  std::vector<bool> done(architecture.layers.size(), false);
  for (int i = 1; i <= architecture.features; ++i) {
    if (done[static_cast<size_t>(i)]) continue;
    const Compiler::Compiled compiled = compiler.Compile(i);
    Step step{compiled.kernel, {}, {}};
    for (int input : compiled.inputs) step.inputs.push_back(value_of.at(input));
    // What a step takes in forms a chain: each layer reads the one before.
    for (int covered = compiled.output; covered != i;) {
      done[static_cast<size_t>(covered)] = true;
      const std::vector<int>& inputs = architecture.layers[static_cast<size_t>(covered)].inputs;
      covered = *std::max_element(inputs.begin(), inputs.end());
    }
    steps_.push_back(std::move(step));
    value_of[compiled.output] = steps_.size();
  }
  FindLastUses();
}

void Plan::FindLastUses() {
  std::vector<bool> used_later(steps_.size() + 1, false);
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    for (size_t input : step->inputs) {
      step->last_use.push_back(!used_later[input]);
      used_later[input] = true;
    }
  }
}

torch::Tensor Plan::Run(const torch::Tensor& images) const {
  std::vector<torch::Tensor> values(steps_.size() + 1);
  values[0] = images.to(number_);
  std::vector<torch::Tensor> inputs;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    inputs.clear();
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      torch::Tensor& value = values[step.inputs[k]];
      inputs.push_back(step.last_use[k] ? std::move(value) : value);
    }
    values[i + 1] = step.kernel(inputs);
  }
  return values.back().flatten(1).to(torch::kFloat32);
}

}  // namespace graft::engine
