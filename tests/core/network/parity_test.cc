// The numbers of Keras, from Keras' files, through our importer.
#include <torch/torch.h>

#include "core/network/backbone.h"
#include "tests/testing/assets.h"
#include "tests/testing/golden.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using testing::GoldenTensor;
using testing::RelativeError;
using weights::Safetensors;

// Relative to the largest golden value. Summation order alone makes a few 1e-6.
constexpr double kTolerance = 1e-4;

class ParityTest : public ::testing::TestWithParam<testing::BackboneAsset> {};
INSTANTIATE_TEST_SUITE_P(Backbones, ParityTest, ::testing::ValuesIn(testing::kBackboneAssets),
                         [](const auto& info) { return info.param.backbone; });

TEST_P(ParityTest, FeaturesAreKerasFeatures) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  ASSERT_OK_AND_ASSIGN(const Safetensors golden, Safetensors::Load(golden_path, ""));
  ASSERT_OK_AND_ASSIGN(const Safetensors file, testing::LoadKerasWeights(weights_path, GetParam().backbone));
  ASSERT_OK_AND_ASSIGN(const auto backbone, Backbone::Create(GetParam().backbone, file, {}));

  const torch::Tensor images = GoldenTensor(golden, "images_u8_nhwc");
  const torch::Tensor expected = GoldenTensor(golden, GetParam().features);
  ASSERT_OK_AND_ASSIGN(const torch::Tensor together, backbone->Features(images));
  EXPECT_LT(RelativeError(together, expected), kTolerance);
  std::vector<torch::Tensor> rows;
  for (int64_t i = 0; i < images.size(0); ++i) {
    ASSERT_OK_AND_ASSIGN(rows.emplace_back(), backbone->Features(images.slice(0, i, i + 1)));
  }
  EXPECT_LT(RelativeError(torch::cat(rows), expected), kTolerance);
  std::cout << "relative error, batch 8: " << RelativeError(together, expected)
            << ", batch 1: " << RelativeError(torch::cat(rows), expected) << "\n";
}

TEST(ProbabilityParityTest, MobileNetProbabilitiesAreKerasProbabilities) {
  REQUIRE_ASSET(weights_path, testing::kMobileNetWithTop);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  ASSERT_OK_AND_ASSIGN(const Safetensors golden, Safetensors::Load(golden_path, ""));
  ASSERT_OK_AND_ASSIGN(const Safetensors file,
                       testing::LoadKerasWeights(weights_path, "mobilenet_v2", /*with_top=*/true));
  ASSERT_OK_AND_ASSIGN(const auto backbone, Backbone::Create("mobilenet_v2", file, {.with_top = true}));

  const torch::Tensor images = GoldenTensor(golden, "images_u8_nhwc");
  const torch::Tensor expected = GoldenTensor(golden, "mobilenet_v2_probs");
  ASSERT_OK_AND_ASSIGN(const torch::Tensor together, backbone->Probabilities(images));
  EXPECT_LT(RelativeError(together, expected), kTolerance);
  ASSERT_OK_AND_ASSIGN(const torch::Tensor first, backbone->Probabilities(images.slice(0, 0, 1)));
  EXPECT_LT(RelativeError(first, expected.slice(0, 0, 1)), kTolerance);
  std::cout << "relative error, batch 8: " << RelativeError(together, expected) << "\n";
}

}  // namespace
}  // namespace graft::network
