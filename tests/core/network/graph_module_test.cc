#include "core/network/graph_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/network/graph_builder.h"

namespace graft::network {
namespace {

constexpr int kSize = 8;

// Every operation of the backbones: a folded batch norm, one before its convolution, a residual sum, a squeeze and
// excitation, each activation.
Architecture TinyGraph() {
  GraphBuilder graph(kSize, {.epsilon = 1e-3, .momentum = 0.9});
  int x = graph.Convolve("stem", 0, 4, 3, 2, graph.Same(0, 3, 2));
  x = graph.Activate("stem_relu", graph.Normalize("stem_bn", x), Nonlinearity::kRelu6);
  const int input = x;
  x = graph.Activate("preact", graph.Normalize("preact_bn", x), Nonlinearity::kRelu);
  x = graph.Convolve("expand", x, 6, 1, 1, {}, /*has_bias=*/true);
  x = graph.Activate("expand_silu", graph.Normalize("expand_bn", x), Nonlinearity::kSilu);
  x = graph.ConvolveDepthwise("depthwise", x, 3, 1, graph.Same(x, 3, 1));
  x = graph.Normalize("depthwise_bn", x);
  const int squeezed = graph.Convolve("reduce", graph.Average("squeeze", x), 6, 1, 1, {}, /*has_bias=*/true);
  x = graph.Scale("excite", x, graph.Activate("gate", squeezed, Nonlinearity::kSigmoid));
  x = graph.Normalize("project_bn", graph.Convolve("project", x, 4, 1, 1, {}));
  x = graph.Sum("sum", input, x);
  x = graph.Pool("pool", x, 3, 2, {1, 1});
  return std::move(graph).Finish(x, /*with_top=*/false);
}

class GraphModuleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    module_.to(torch::kFloat64);
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : module_.parameters()) parameter.normal_(0, 0.5);
    for (auto& buffer : module_.named_buffers()) buffer.value().uniform_(0.5, 1.5);
    module_.eval();
  }
  torch::Tensor Features() { return module_.Forward(images_, module_.architecture().features); }
  // Of one number that depends on every feature.
  torch::Tensor Loss() { return Features().sin().sum(); }

  GraphModule module_{TinyGraph()};
  const torch::Tensor images_ = torch::randn({2, 3, kSize, kSize}, torch::kFloat64);
};

// The convolution and the batch norm one after the other, as torch computes them.
TEST_F(GraphModuleTest, FoldedBatchNormIsTheBatchNorm) {
  const torch::Tensor convolved = module_.Forward(images_, 1);
  const auto weight = [this](const char* name) { return module_.ModuleOf(2)->named_parameters()[name]; };
  const auto buffers = module_.ModuleOf(2)->named_buffers();
  const torch::Tensor normalized =
      torch::batch_norm(convolved, weight("gamma"), weight("beta"), buffers["moving_mean"], buffers["moving_variance"],
                        /*training=*/false, 0.1, 1e-3, false);
  EXPECT_TRUE(torch::allclose(module_.Forward(images_, 2), normalized, 1e-12, 1e-12));
}

TEST_F(GraphModuleTest, GradientsAreThoseOfFiniteDifferences) {
  Loss().backward();
  constexpr double kStep = 1e-6;
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module_.named_parameters()) {
    const torch::Tensor values = parameter.value().view(-1);
    const torch::Tensor gradient = parameter.value().grad().reshape(-1);
    for (int64_t i = 0; i < values.numel(); i += 5) {
      const double before = values[i].item<double>();
      values[i] = before + kStep;
      const double above = Loss().item<double>();
      values[i] = before - kStep;
      const double below = Loss().item<double>();
      values[i] = before;
      EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * kStep), 1e-6) << parameter.key() << " " << i;
    }
  }
}

TEST_F(GraphModuleTest, OnlyABatchNormThatTrainsMovesItsStatistics) {
  const auto before = module_.named_buffers();
  std::map<std::string, torch::Tensor> copies;
  for (const auto& buffer : before) copies[buffer.key()] = buffer.value().clone();
  module_.ModuleOf(2)->train();
  Features();
  for (const auto& buffer : module_.named_buffers()) {
    const bool trains = buffer.key().rfind("stem_bn", 0) == 0;
    EXPECT_EQ(torch::equal(buffer.value(), copies[buffer.key()]), !trains) << buffer.key();
  }
}

TEST_F(GraphModuleTest, GoesOnFromAValueInTheMiddleAndLeavesItAsItIs) {
  constexpr int kStemOutput = 3;
  const torch::Tensor middle = module_.Forward(images_, kStemOutput);
  const torch::Tensor copy = middle.clone();
  EXPECT_TRUE(torch::equal(module_.ForwardFrom(kStemOutput, middle, module_.architecture().features), Features()));
  EXPECT_TRUE(torch::equal(middle, copy));
}

}  // namespace
}  // namespace graft::network
