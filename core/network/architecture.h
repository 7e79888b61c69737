// A backbone as data: the layers of its Keras graph, in order. LibTorch modules, the engine's folded plan and the list
// of expected weights all come from this one description. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::network {

// Zeros around the input, in pixels. Keras' SAME puts the odd one at the bottom and right.
struct Padding {
  int top_left = 0;
  int bottom_right = 0;
};

struct Input {};  // the normalised image

// Weights: kernel (depthwise_kernel) and, where has_bias, bias.
struct Convolution {
  int in = 0, out = 0;
  int kernel = 1;
  int stride = 1;
  Padding padding;
  bool depthwise = false;  // groups = in = out
  bool has_bias = false;
};

// Weights: gamma, beta, moving_mean, moving_variance.
struct BatchNormalization {
  int channels = 0;
  double epsilon = 0;
  double momentum = 0;  // Keras': the share of the old statistics that stays
};

enum class Nonlinearity { kRelu, kRelu6, kSilu, kSigmoid };
struct Activation {
  Nonlinearity nonlinearity;
};

struct MaxPool {  // of the zero-padded input
  int kernel = 1;
  int stride = 1;
  Padding padding;
};

struct Add {};            // two inputs of one shape
struct Multiply {};       // [C, H, W] by [C, 1, 1]
struct GlobalAverage {};  // [C, H, W] to [C, 1, 1]

// The ImageNet head, softmax included. Weights: kernel, bias.
struct Dense {
  int in = 0, out = 0;
};

using Operation =
    std::variant<Input, Convolution, BatchNormalization, Activation, MaxPool, Add, Multiply, GlobalAverage, Dense>;

struct Layer {
  std::string name;  // Keras' layer name
  Operation operation;
  std::vector<int> inputs;  // indices of earlier layers
  int channels;             // of its output
  int size;                 // height and width of its output, in pixels
};

struct Architecture {
  std::vector<Layer> layers;  // the first is the Input
  int features;               // index of the pooled features
};

// The backbone's graph up to the pooled features; with_top adds the ImageNet head, the last layer.
// InvalidField("spec.backbone") for an unknown name.
absl::StatusOr<Architecture> FindArchitecture(absl::string_view backbone, bool with_top = false);

// Of one forward pass of one image: those of convolutions and dense layers, as papers count them. Twice as many
// floating-point operations.
int64_t MultiplyAccumulates(const Architecture& architecture);

}  // namespace graft::network
