// Source: keras.applications.resnet (block2, stack2), ResNet50V2; He et al. 2016, "Identity mappings".
#include "absl/strings/str_cat.h"
#include "core/network/architectures.h"
#include "core/network/graph_builder.h"

namespace graft::network {
namespace {

struct ResidualStage {
  int filters, blocks;
  int stride;  // of the last block: Keras' ResNetV2 reduces there, not in the first
};
constexpr ResidualStage kResNetV2Stages[] = {{64, 3, 2}, {128, 4, 2}, {256, 6, 2}, {512, 3, 1}};

int NormalizeAndActivate(GraphBuilder& graph, const std::string& prefix, int input) {
  return graph.Activate(prefix + "relu", graph.Normalize(prefix + "bn", input), Nonlinearity::kRelu);
}

int PreActivationBlock(GraphBuilder& graph, const std::string& prefix, int input, int filters, int stride,
                       bool convolve_shortcut) {
  const int preact = NormalizeAndActivate(graph, prefix + "preact_", input);
  int shortcut = input;
  if (convolve_shortcut) {
    shortcut = graph.Convolve(prefix + "0_conv", preact, 4 * filters, 1, stride, {}, /*has_bias=*/true);
  } else if (stride > 1) {
    shortcut = graph.Pool(prefix + "0_pool", input, 1, stride, {});
  }
  int x = graph.Convolve(prefix + "1_conv", preact, filters, 1, 1, {});
  x = NormalizeAndActivate(graph, prefix + "1_", x);
  x = graph.Convolve(prefix + "2_conv", x, filters, 3, stride, {1, 1});  // ZeroPadding2D, then VALID
  x = NormalizeAndActivate(graph, prefix + "2_", x);
  x = graph.Convolve(prefix + "3_conv", x, 4 * filters, 1, 1, {}, /*has_bias=*/true);
  return graph.Sum(prefix + "out", shortcut, x);
}

}  // namespace

Architecture ResNet50V2(int input_size, bool with_top) {
  GraphBuilder graph(input_size, {.epsilon = 1.001e-5, .momentum = 0.99});
  int x = graph.Convolve("conv1_conv", 0, 64, 7, 2, {3, 3}, /*has_bias=*/true);
  x = graph.Pool("pool1_pool", x, 3, 2, {1, 1});
  int stage_number = 2;
  for (const ResidualStage& stage : kResNetV2Stages) {
    for (int block = 1; block <= stage.blocks; ++block) {
      const std::string prefix = absl::StrCat("conv", stage_number, "_block", block, "_");
      const int stride = block == stage.blocks ? stage.stride : 1;
      x = PreActivationBlock(graph, prefix, x, stage.filters, stride, /*convolve_shortcut=*/block == 1);
    }
    ++stage_number;
  }
  return std::move(graph).Finish(NormalizeAndActivate(graph, "post_", x), with_top);
}

}  // namespace graft::network
