#include "core/engine/convolution_kernel.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/torch.h>

#include <array>
#include <string_view>
#include <utility>

namespace graft::engine {
namespace {

using network::Nonlinearity;
using OptionalTensor = std::optional<at::Tensor>;
using Scalars = c10::List<std::optional<at::Scalar>>;
using OptionalText = std::optional<std::string_view>;

// The operators behind torch.compile's CPU convolutions: registered in every x86 build of LibTorch, absent from its
// headers. Schemas: aten/src/ATen/native/mkldnn/RegisterMkldnnOpContextClass.cpp.
constexpr char kPack[] = "mkldnn::_reorder_convolution_weight";
constexpr char kConvolve[] = "mkldnn::_convolution_pointwise";
constexpr char kConvolveInto[] = "mkldnn::_convolution_pointwise_";

using Pack = at::Tensor(const at::Tensor&, c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymIntArrayRef, c10::SymInt,
                        at::OptionalSymIntArrayRef);
using Convolve = at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&, at::IntArrayRef,
                            at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view, Scalars, OptionalText);
using ConvolveInto = at::Tensor&(at::Tensor&, const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                                 at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view,
                                 std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);

template <typename Signature>
std::optional<c10::TypedOperatorHandle<Signature>> FindOperator(const char* name, const char* overload = "") {
  const auto schema = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!schema.has_value()) return std::nullopt;
  return schema->typed<Signature>();
}

struct OneDnn {
  c10::TypedOperatorHandle<Pack> pack;
  c10::TypedOperatorHandle<Convolve> convolve;
  c10::TypedOperatorHandle<ConvolveInto> convolve_into;
};

std::optional<OneDnn> FindOneDnn() {
  if (!at::globalContext().userEnabledMkldnn() || !at::hasMKLDNN()) return std::nullopt;
  const auto pack = FindOperator<Pack>(kPack);
  const auto convolve = FindOperator<Convolve>(kConvolve);
  const auto convolve_into = FindOperator<ConvolveInto>(kConvolveInto, "binary");
  if (!pack || !convolve || !convolve_into) return std::nullopt;
  return OneDnn{*pack, *convolve, *convolve_into};
}

struct Attribute {
  std::string_view name = "none";
  Scalars scalars;
};

Attribute AttributeOf(std::optional<Nonlinearity> activation) {
  Attribute attribute;
  if (!activation.has_value()) return attribute;
  switch (*activation) {
    case Nonlinearity::kRelu:
      attribute.name = "relu";
      break;
    case Nonlinearity::kRelu6:
      attribute.name = "hardtanh";
      attribute.scalars = Scalars({at::Scalar(0.0), at::Scalar(6.0)});
      break;
    case Nonlinearity::kSilu:
      attribute.name = "swish";
      break;
    case Nonlinearity::kSigmoid:
      attribute.name = "sigmoid";
      break;
  }
  return attribute;
}

// Asymmetric padding is added to the input beforehand: neither LibTorch's convolution nor oneDNN's wrapper has it.
struct Geometry {
  explicit Geometry(const network::Convolution& shape)
      : outside(shape.padding.top_left == shape.padding.bottom_right ? network::Padding{} : shape.padding),
        inside(shape.padding.top_left == shape.padding.bottom_right ? shape.padding.top_left : 0),
        stride(shape.stride),
        groups(shape.depthwise ? shape.in : 1) {}
  network::Padding outside;
  int64_t inside, stride, groups;
};

Kernel MakePacked(const OneDnn& one_dnn, const FusedConvolution& convolution) {
  const Geometry geometry(convolution.shape);
  const c10::SymInt padded = convolution.input_size + geometry.outside.top_left + geometry.outside.bottom_right;
  const std::array<c10::SymInt, 4> input_shape = {1, convolution.shape.in, padded, padded};
  const std::array<c10::SymInt, 2> inside = {geometry.inside, geometry.inside};
  const std::array<c10::SymInt, 2> stride = {geometry.stride, geometry.stride}, dilation = {1, 1};
  const at::Tensor packed = one_dnn.pack.call(convolution.kernel.contiguous(at::MemoryFormat::ChannelsLast), inside,
                                              stride, dilation, geometry.groups, c10::SymIntArrayRef(input_shape));
  const Attribute attribute = AttributeOf(convolution.activation);
  const at::Tensor bias = convolution.bias;
  if (convolution.adds_input) {
    TORCH_CHECK(!convolution.activation.has_value(), "oneDNN adds without an activation behind it");
    return [=](torch::ArrayRef<torch::Tensor> inputs) {
      at::Tensor sum = inputs[1];
      one_dnn.convolve_into.call(sum, PadWithZeros(inputs[0], geometry.outside), packed, bias,
                                 {geometry.inside, geometry.inside}, {geometry.stride, geometry.stride}, {1, 1},
                                 geometry.groups, "add", at::Scalar(1.0), /*unary=*/std::nullopt, Scalars(),
                                 std::nullopt);
      return sum;
    };
  }
  return [=](torch::ArrayRef<torch::Tensor> inputs) {
    return one_dnn.convolve.call(PadWithZeros(inputs[0], geometry.outside), packed, bias,
                                 {geometry.inside, geometry.inside}, {geometry.stride, geometry.stride}, {1, 1},
                                 geometry.groups, attribute.name, attribute.scalars, std::nullopt);
  };
}

Kernel MakePlain(const FusedConvolution& convolution) {
  const Geometry geometry(convolution.shape);
  const at::Tensor kernel = convolution.kernel.contiguous(at::MemoryFormat::ChannelsLast);
  return [geometry, kernel, bias = convolution.bias, activation = convolution.activation,
          adds_input = convolution.adds_input](torch::ArrayRef<torch::Tensor> inputs) {
    at::Tensor result =
        at::conv2d(PadWithZeros(inputs[0], geometry.outside), kernel, bias, {geometry.stride, geometry.stride},
                   {geometry.inside, geometry.inside}, {1, 1}, geometry.groups);
    if (adds_input) result.add_(inputs[1]);
    if (activation.has_value()) Activate(result, *activation);
    return result;
  };
}

// Over one pixel a 1x1 convolution is a matrix product, and far cheaper to call.
Kernel MakeMatrixProduct(const FusedConvolution& convolution) {
  return [kernel = convolution.kernel.flatten(1).contiguous(), bias = convolution.bias,
          activation = convolution.activation](torch::ArrayRef<torch::Tensor> inputs) {
    at::Tensor result = at::linear(inputs[0].flatten(1), kernel, bias);
    if (activation.has_value()) Activate(result, *activation);
    return result.unflatten(1, {-1, 1, 1});
  };
}

}  // namespace

Kernel MakeConvolution(const FusedConvolution& convolution) {
  if (convolution.input_size == 1 && convolution.shape.kernel == 1 && !convolution.adds_input) {
    return MakeMatrixProduct(convolution);
  }
  // oneDNN refuses bfloat16 where the processor lacks it, LibTorch's own convolution does not.
  if (convolution.kernel.device().is_cpu() && convolution.kernel.scalar_type() == torch::kFloat32) {
    if (const std::optional<OneDnn> one_dnn = FindOneDnn()) return MakePacked(*one_dnn, convolution);
  }
  return MakePlain(convolution);
}

void Activate(torch::Tensor& values, Nonlinearity nonlinearity) {
  switch (nonlinearity) {
    case Nonlinearity::kRelu:
      at::relu_(values);
      break;
    case Nonlinearity::kRelu6:
      at::clamp_(values, 0, 6);
      break;
    case Nonlinearity::kSilu:
      at::silu_(values);
      break;
    case Nonlinearity::kSigmoid:
      at::sigmoid_(values);
      break;
  }
}

torch::Tensor PadWithZeros(const torch::Tensor& input, network::Padding padding) {
  if (padding.top_left == 0 && padding.bottom_right == 0) return input;
  return at::constant_pad_nd(input, {padding.top_left, padding.bottom_right, padding.top_left, padding.bottom_right},
                             0);
}

}  // namespace graft::engine
