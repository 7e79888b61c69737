// Appends layers to an Architecture, following channels and sizes.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/network/architecture.h"

namespace graft::network {

// What a family of networks has in common in all its batch normalisations.
struct BatchNormalizationStyle {
  double epsilon, momentum;
};

// Every method returns the new layer's index. One thread at a time.
class GraphBuilder {
 public:
  GraphBuilder(int input_size, BatchNormalizationStyle style) : style_(style) {
    Append({"input", Input{}, {}, 3, input_size});
  }

  int Convolve(std::string name, int input, int filters, int kernel, int stride, Padding padding,
               bool has_bias = false) {
    const Layer& from = At(input);
    return Append({std::move(name),
                   Convolution{from.channels, filters, kernel, stride, padding, false, has_bias},
                   {input},
                   filters,
                   OutputSize(from.size, kernel, stride, padding)});
  }

  int ConvolveDepthwise(std::string name, int input, int kernel, int stride, Padding padding) {
    const Layer& from = At(input);
    return Append({std::move(name),
                   Convolution{from.channels, from.channels, kernel, stride, padding, true, false},
                   {input},
                   from.channels,
                   OutputSize(from.size, kernel, stride, padding)});
  }

  int Normalize(std::string name, int input) {
    return SameShape(std::move(name), BatchNormalization{At(input).channels, style_.epsilon, style_.momentum}, {input});
  }

  int Activate(std::string name, int input, Nonlinearity nonlinearity) {
    return SameShape(std::move(name), Activation{nonlinearity}, {input});
  }

  int Pool(std::string name, int input, int kernel, int stride, Padding padding) {
    const Layer& from = At(input);
    return Append({std::move(name),
                   MaxPool{kernel, stride, padding},
                   {input},
                   from.channels,
                   OutputSize(from.size, kernel, stride, padding)});
  }

  int Sum(std::string name, int a, int b) { return SameShape(std::move(name), Add{}, {a, b}); }
  int Scale(std::string name, int input, int scales) { return SameShape(std::move(name), Multiply{}, {input, scales}); }

  int Average(std::string name, int input) {
    return Append({std::move(name), GlobalAverage{}, {input}, At(input).channels, 1});
  }

  // Pools `input` to the features and, where asked, puts Keras' ImageNet head on them.
  Architecture Finish(int input, bool with_top) && {
    architecture_.features = Average("avg_pool", input);
    if (with_top) {
      constexpr int kImageNetClasses = 1000;
      const int features = architecture_.features;
      Append({"predictions", Dense{At(features).channels, kImageNetClasses}, {features}, kImageNetClasses, 1});
    }
    return std::move(architecture_);
  }

  const Layer& At(int index) const { return architecture_.layers[static_cast<size_t>(index)]; }

  // Keras' padding="same" (TensorFlow's SAME) for a convolution over `input`.
  Padding Same(int input, int kernel, int stride) const {
    const int size = At(input).size;
    const int outputs = (size + stride - 1) / stride;
    const int total = std::max(0, (outputs - 1) * stride + kernel - size);
    return {total / 2, total - total / 2};
  }

 private:
  static int OutputSize(int size, int kernel, int stride, Padding padding) {
    return (size + padding.top_left + padding.bottom_right - kernel) / stride + 1;
  }
  int SameShape(std::string name, Operation operation, std::vector<int> inputs) {
    const Layer& from = At(inputs[0]);
    return Append({std::move(name), operation, std::move(inputs), from.channels, from.size});
  }
  int Append(Layer layer) {
    architecture_.layers.push_back(std::move(layer));
    return static_cast<int>(architecture_.layers.size()) - 1;
  }

  const BatchNormalizationStyle style_;
  Architecture architecture_{{}, 0};
};

}  // namespace graft::network
