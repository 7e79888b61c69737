#include "core/network/onnx_writer.h"

#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/base/status_macros.h"
#include "core/network/expected_tensors.h"
#include "core/network/normalization.h"

namespace graft::network {
namespace {

// The oldest pair that has every operator used here in its present form, so that most runtimes read it.
constexpr int kOperatorSet = 13;
constexpr int kIrVersion = 7;

constexpr char kImage[] = "image";
constexpr char kFeatures[] = "features";

using Values = std::vector<double>;

// y = scale * x + shift per channel: a batch norm in inference mode.
struct ScaleShift {
  Values scale, shift;
};

// Adds an architecture's layers to a graph, one after the other.
class GraphWriter {
 public:
  GraphWriter(const Architecture& architecture, const weights::Safetensors& weights, onnx::GraphProto& graph)
      : architecture_(architecture), weights_(weights), graph_(graph), readers_(architecture.layers.size()) {
    for (int i = 0; i < Count(); ++i) {
      for (const int input : At(i).inputs) readers_[static_cast<size_t>(input)].push_back(i);
    }
  }

  void Write(Normalization normalization) {
    WriteInput(normalization);
    for (int i = 1; i < Count(); ++i) {
      std::visit([&](const auto& operation) { WriteLayer(i, operation); }, At(i).operation);
      if (i == architecture_.features) WriteFeatures();
    }
  }

 private:
  int Count() const { return static_cast<int>(architecture_.layers.size()); }
  const Layer& At(int i) const { return architecture_.layers[static_cast<size_t>(i)]; }
  const std::string& InputOf(int i, size_t input = 0) const { return At(At(i).inputs[input]).name; }

  // Whether layer i is read by one batch norm and nothing else.
  std::optional<int> NormalizationBehind(int i) const {
    const std::vector<int>& readers = readers_[static_cast<size_t>(i)];
    if (readers.size() != 1 || !std::holds_alternative<BatchNormalization>(At(readers[0]).operation)) {
      return std::nullopt;
    }
    return readers[0];
  }
  bool IsFolded(int normalization) const {
    const int input = At(normalization).inputs[0];
    return std::holds_alternative<Convolution>(At(input).operation) && NormalizationBehind(input).has_value();
  }

  onnx::NodeProto& AddNode(const std::string& name, const char* type, std::initializer_list<std::string> inputs,
                           const std::string& output) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_name(name);
    node.set_op_type(type);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }
  static onnx::AttributeProto& AddAttribute(onnx::NodeProto& node, const char* name,
                                            onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  static void AddIntegers(onnx::NodeProto& node, const char* name, std::initializer_list<int64_t> values) {
    onnx::AttributeProto& attribute = AddAttribute(node, name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
  }
  static void AddInteger(onnx::NodeProto& node, const char* name, int64_t value) {
    AddAttribute(node, name, onnx::AttributeProto::INT).set_i(value);
  }

  template <typename Number>
  std::string AddTensor(const std::string& name, onnx::TensorProto::DataType type, std::initializer_list<int64_t> shape,
                        absl::Span<const Number> values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t dimension : shape) tensor.add_dims(dimension);
    tensor.set_raw_data(values.data(), values.size() * sizeof(Number));  // little-endian, as this machine is
    return name;
  }
  std::string AddFloats(const std::string& name, std::initializer_list<int64_t> shape, const Values& values) {
    const std::vector<float> rounded(values.begin(), values.end());
    return AddTensor(name, onnx::TensorProto::FLOAT, shape, absl::MakeConstSpan(rounded));
  }

  Values WeightOf(const Layer& layer, const char* variable) const {
    const absl::string_view bytes = weights_.tensors().at(absl::StrCat(layer.name, "/", variable)).data;
    std::vector<float> values(bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());  // the file need not align it
    return Values(values.begin(), values.end());
  }

  ScaleShift ScaleShiftOf(const Layer& layer) const {
    ScaleShift result{WeightOf(layer, "gamma"), WeightOf(layer, "beta")};
    const Values mean = WeightOf(layer, "moving_mean"), variance = WeightOf(layer, "moving_variance");
    const double epsilon = std::get<BatchNormalization>(layer.operation).epsilon;
    for (size_t c = 0; c < mean.size(); ++c) {
      result.scale[c] /= std::sqrt(variance[c] + epsilon);
      result.shift[c] -= mean[c] * result.scale[c];
    }
    return result;
  }

  // uint8 pixels to the normalised planes that the first layer reads.
  void WriteInput(Normalization normalization) {
    const std::string& input = At(0).name;
    const ChannelAffine affine = AffineOf(normalization);
    const std::string as_float = input + "/float", scaled = input + "/scaled", shifted = input + "/shifted";
    AddInteger(AddNode(as_float, "Cast", {kImage}, as_float), "to", onnx::TensorProto::FLOAT);
    AddNode(scaled, "Mul", {as_float, AddFloats(input + "/scale", {3}, {affine.scale.begin(), affine.scale.end()})},
            scaled);
    AddNode(shifted, "Add", {scaled, AddFloats(input + "/shift", {3}, {affine.shift.begin(), affine.shift.end()})},
            shifted);
    AddIntegers(AddNode(input, "Transpose", {shifted}, input), "perm", {0, 3, 1, 2});

    onnx::ValueInfoProto& image = *graph_.add_input();
    Describe(image, kImage, onnx::TensorProto::UINT8, {At(0).size, At(0).size, 3});
  }

  void WriteFeatures() {
    const Layer& pooled = At(architecture_.features);
    AddInteger(AddNode(kFeatures, "Flatten", {pooled.name}, kFeatures), "axis", 1);
    Describe(*graph_.add_output(), kFeatures, onnx::TensorProto::FLOAT, {pooled.channels});
  }

  // [N, shape...]
  static void Describe(onnx::ValueInfoProto& value, const std::string& name, onnx::TensorProto::DataType type,
                       std::initializer_list<int64_t> shape) {
    value.set_name(name);
    onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape()->add_dim()->set_dim_param("N");
    for (const int64_t dimension : shape) tensor.mutable_shape()->add_dim()->set_dim_value(dimension);
  }

  void WriteLayer(int, const Input&) {}

  void WriteLayer(int i, const Convolution& convolution) {
    const Layer& layer = At(i);
    Values kernel = WeightOf(layer, convolution.depthwise ? "depthwise_kernel" : "kernel");
    Values bias = convolution.has_bias ? WeightOf(layer, "bias") : Values(static_cast<size_t>(convolution.out));
    const std::optional<int> normalization = NormalizationBehind(i);
    if (normalization.has_value()) Fold(ScaleShiftOf(At(*normalization)), kernel, bias);

    const int64_t size = convolution.kernel, stride = convolution.stride;
    const int64_t before = convolution.padding.top_left, after = convolution.padding.bottom_right;
    const std::string kernel_name =
        AddFloats(layer.name + (convolution.depthwise ? "/depthwise_kernel" : "/kernel"),
                  {convolution.out, convolution.depthwise ? 1 : convolution.in, size, size}, kernel);
    const std::string bias_name = AddFloats(layer.name + "/bias", {convolution.out}, bias);
    onnx::NodeProto& node = AddNode(layer.name, "Conv", {InputOf(i), kernel_name, bias_name},
                                    normalization.has_value() ? At(*normalization).name : layer.name);
    AddIntegers(node, "kernel_shape", {size, size});
    AddIntegers(node, "strides", {stride, stride});
    AddIntegers(node, "pads", {before, before, after, after});
    AddInteger(node, "group", convolution.depthwise ? convolution.in : 1);
  }

  // Into a convolution's kernel [out, ...] and bias [out].
  static void Fold(const ScaleShift& folded, Values& kernel, Values& bias) {
    const size_t per_channel = kernel.size() / bias.size();
    for (size_t i = 0; i < kernel.size(); ++i) kernel[i] *= folded.scale[i / per_channel];
    for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * folded.scale[c] + folded.shift[c];
  }

  void WriteLayer(int i, const BatchNormalization& normalization) {
    if (IsFolded(i)) return;
    const std::string& name = At(i).name;
    const ScaleShift folded = ScaleShiftOf(At(i));
    const std::string scale = AddFloats(name + "/scale", {normalization.channels, 1, 1}, folded.scale);
    const std::string shift = AddFloats(name + "/shift", {normalization.channels, 1, 1}, folded.shift);
    AddNode(name + "/scaled", "Mul", {InputOf(i), scale}, name + "/scaled");
    AddNode(name, "Add", {name + "/scaled", shift}, name);
  }

  void WriteLayer(int i, const Activation& activation) {
    const std::string& name = At(i).name;
    switch (activation.nonlinearity) {
      case Nonlinearity::kRelu:
        AddNode(name, "Relu", {InputOf(i)}, name);
        break;
      case Nonlinearity::kRelu6:
        AddNode(name, "Clip", {InputOf(i), AddFloats(name + "/lowest", {}, {0}), AddFloats(name + "/highest", {}, {6})},
                name);
        break;
      case Nonlinearity::kSilu:
        AddNode(name + "/sigmoid", "Sigmoid", {InputOf(i)}, name + "/sigmoid");
        AddNode(name, "Mul", {InputOf(i), name + "/sigmoid"}, name);
        break;
      case Nonlinearity::kSigmoid:
        AddNode(name, "Sigmoid", {InputOf(i)}, name);
        break;
    }
  }

  void WriteLayer(int i, const MaxPool& pool) {
    const std::string& name = At(i).name;
    std::string input = InputOf(i);
    if (pool.padding.top_left != 0 || pool.padding.bottom_right != 0) {
      // ONNX' own padding is with minus infinity, Keras' here with zero.
      const int64_t before = pool.padding.top_left, after = pool.padding.bottom_right;
      const int64_t pads[] = {0, 0, before, before, 0, 0, after, after};
      const std::string padded = name + "/padded";
      AddNode(padded, "Pad",
              {input, AddTensor(name + "/pads", onnx::TensorProto::INT64, {8}, absl::MakeConstSpan(pads))}, padded);
      input = padded;
    }
    onnx::NodeProto& node = AddNode(name, "MaxPool", {input}, name);
    AddIntegers(node, "kernel_shape", {pool.kernel, pool.kernel});
    AddIntegers(node, "strides", {pool.stride, pool.stride});
  }

  void WriteLayer(int i, const Add&) { AddNode(At(i).name, "Add", {InputOf(i, 0), InputOf(i, 1)}, At(i).name); }
  void WriteLayer(int i, const Multiply&) { AddNode(At(i).name, "Mul", {InputOf(i, 0), InputOf(i, 1)}, At(i).name); }
  void WriteLayer(int i, const GlobalAverage&) { AddNode(At(i).name, "GlobalAveragePool", {InputOf(i)}, At(i).name); }

  // Reads the flattened features.
  void WriteLayer(int i, const Dense& dense) {
    const Layer& layer = At(i);
    const std::string kernel = AddFloats(layer.name + "/kernel", {dense.out, dense.in}, WeightOf(layer, "kernel"));
    const std::string bias = AddFloats(layer.name + "/bias", {dense.out}, WeightOf(layer, "bias"));
    const std::string logits = layer.name + "/logits";
    AddInteger(AddNode(logits, "Gemm", {kFeatures, kernel, bias}, logits), "transB", 1);
    AddInteger(AddNode(layer.name, "Softmax", {logits}, layer.name), "axis", 1);
    Describe(*graph_.add_output(), layer.name, onnx::TensorProto::FLOAT, {dense.out});
  }

  const Architecture& architecture_;
  const weights::Safetensors& weights_;
  onnx::GraphProto& graph_;
  std::vector<std::vector<int>> readers_;  // per layer, ascending
};

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const BackboneFacts& facts, const Architecture& architecture,
                                      const weights::Safetensors& weights) {
  RETURN_IF_ERROR(CheckWeights(architecture, weights));
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("graft");
  onnx::OperatorSetIdProto& operators = *model.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOperatorSet);
  model.mutable_graph()->set_name(facts.name);
  GraphWriter(architecture, weights, *model.mutable_graph()).Write(facts.normalization);
  return model.SerializeAsString();
}

}  // namespace graft::network
