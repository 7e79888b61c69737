// Source: keras.applications.mobilenet_v2, alpha 1.0; Sandler et al. 2018, table 2.
#include "absl/strings/str_cat.h"
#include "core/network/architectures.h"
#include "core/network/graph_builder.h"

namespace graft::network {
namespace {

struct InvertedResidualStage {
  int expansion, filters, repeats, stride;
};
constexpr InvertedResidualStage kMobileNetV2Stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                                        {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

int InvertedResidual(GraphBuilder& graph, int input, int block, int expansion, int filters, int stride) {
  const std::string prefix = block == 0 ? "expanded_conv_" : absl::StrCat("block_", block, "_");
  const int channels = graph.At(input).channels;
  int x = input;
  if (expansion != 1) {
    x = graph.Convolve(prefix + "expand", x, expansion * channels, 1, 1, {});
    x = graph.Normalize(prefix + "expand_BN", x);
    x = graph.Activate(prefix + "expand_relu", x, Nonlinearity::kRelu6);
  }
  // Keras pads by ZeroPadding2D(correct_pad) before a stride; for 3x3 that is what SAME would do.
  x = graph.ConvolveDepthwise(prefix + "depthwise", x, 3, stride, graph.Same(x, 3, stride));
  x = graph.Normalize(prefix + "depthwise_BN", x);
  x = graph.Activate(prefix + "depthwise_relu", x, Nonlinearity::kRelu6);
  x = graph.Convolve(prefix + "project", x, filters, 1, 1, {});
  x = graph.Normalize(prefix + "project_BN", x);
  return channels == filters && stride == 1 ? graph.Sum(prefix + "add", input, x) : x;
}

}  // namespace

Architecture MobileNetV2(int input_size, bool with_top) {
  GraphBuilder graph(input_size, {.epsilon = 1e-3, .momentum = 0.999});
  int x = graph.Convolve("Conv1", 0, 32, 3, 2, graph.Same(0, 3, 2));
  x = graph.Normalize("bn_Conv1", x);
  x = graph.Activate("Conv1_relu", x, Nonlinearity::kRelu6);
  int block = 0;
  for (const InvertedResidualStage& stage : kMobileNetV2Stages) {
    for (int i = 0; i < stage.repeats; ++i) {
      x = InvertedResidual(graph, x, block++, stage.expansion, stage.filters, i == 0 ? stage.stride : 1);
    }
  }
  x = graph.Convolve("Conv_1", x, 1280, 1, 1, {});
  x = graph.Normalize("Conv_1_bn", x);
  x = graph.Activate("out_relu", x, Nonlinearity::kRelu6);
  return std::move(graph).Finish(x, with_top);
}

}  // namespace graft::network
