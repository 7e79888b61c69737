// Source: keras.applications.efficientnet_v2, "efficientnetv2-b0"; Tan and Le 2021.
#include "absl/strings/str_cat.h"
#include "core/network/architectures.h"
#include "core/network/graph_builder.h"

namespace graft::network {
namespace {

struct Stage {
  int repeats, filters, expansion, stride;
  bool fused;  // expansion and depthwise in one full convolution, no squeeze-and-excitation
};
constexpr Stage kStages[] = {{1, 16, 1, 1, true},  {2, 32, 4, 2, true},   {2, 48, 4, 2, true},
                             {3, 96, 4, 2, false}, {5, 112, 6, 1, false}, {8, 192, 6, 2, false}};

// Convolution with SAME padding, batch norm and SiLU, named as Keras does.
int ConvolveAndActivate(GraphBuilder& graph, const std::string& prefix, int input, int filters, int kernel,
                        int stride) {
  int x = graph.Convolve(prefix + "conv", input, filters, kernel, stride, graph.Same(input, kernel, stride));
  x = graph.Normalize(prefix + "bn", x);
  return graph.Activate(prefix + "activation", x, Nonlinearity::kSilu);
}

int Project(GraphBuilder& graph, const std::string& prefix, int input, int filters) {
  const int x = graph.Convolve(prefix + "project_conv", input, filters, 1, 1, {});
  return graph.Normalize(prefix + "project_bn", x);
}

int SqueezeAndExcite(GraphBuilder& graph, const std::string& prefix, int input, int reduced) {
  const int channels = graph.At(input).channels;
  int x = graph.Average(prefix + "se_squeeze", input);
  x = graph.Convolve(prefix + "se_reduce", x, reduced, 1, 1, {}, /*has_bias=*/true);
  x = graph.Activate(prefix + "se_reduce_activation", x, Nonlinearity::kSilu);
  x = graph.Convolve(prefix + "se_expand", x, channels, 1, 1, {}, /*has_bias=*/true);
  x = graph.Activate(prefix + "se_expand_activation", x, Nonlinearity::kSigmoid);
  return graph.Scale(prefix + "se_excite", input, x);
}

int FusedBlock(GraphBuilder& graph, const std::string& prefix, int input, const Stage& stage, int stride) {
  if (stage.expansion == 1) return ConvolveAndActivate(graph, prefix + "project_", input, stage.filters, 3, stride);
  const int expanded = graph.At(input).channels * stage.expansion;
  const int x = ConvolveAndActivate(graph, prefix + "expand_", input, expanded, 3, stride);
  return Project(graph, prefix, x, stage.filters);
}

int DepthwiseBlock(GraphBuilder& graph, const std::string& prefix, int input, const Stage& stage, int stride) {
  const int channels = graph.At(input).channels;
  int x = ConvolveAndActivate(graph, prefix + "expand_", input, channels * stage.expansion, 1, 1);
  x = graph.ConvolveDepthwise(prefix + "dwconv2", x, 3, stride, graph.Same(x, 3, stride));
  x = graph.Normalize(prefix + "bn", x);
  x = graph.Activate(prefix + "activation", x, Nonlinearity::kSilu);
  x = SqueezeAndExcite(graph, prefix, x, channels / 4);
  return Project(graph, prefix, x, stage.filters);
}

}  // namespace

Architecture EfficientNetV2B0(int input_size, bool with_top) {
  GraphBuilder graph(input_size, {.epsilon = 1e-3, .momentum = 0.9});
  int x = ConvolveAndActivate(graph, "stem_", 0, 32, 3, 2);
  int stage_number = 1;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.repeats; ++i) {
      const std::string prefix = absl::StrCat("block", stage_number, std::string(1, static_cast<char>('a' + i)), "_");
      const int stride = i == 0 ? stage.stride : 1;
      const int input = x;
      x = stage.fused ? FusedBlock(graph, prefix, input, stage, stride)
                      : DepthwiseBlock(graph, prefix, input, stage, stride);
      if (stride == 1 && graph.At(input).channels == stage.filters) x = graph.Sum(prefix + "add", input, x);
    }
    ++stage_number;
  }
  x = ConvolveAndActivate(graph, "top_", x, 1280, 1, 1);
  return std::move(graph).Finish(x, with_top);
}

}  // namespace graft::network
