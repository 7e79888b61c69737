// The numbers of Keras, from Keras' files, through our importer.
#include <torch/torch.h>

#include "core/network/backbone.h"
#include "server/weights/keras_file.h"
#include "tests/testing/assets.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using weights::Safetensors;

// Relative to the largest golden value. Summation order alone makes a few 1e-6.
constexpr double kTolerance = 1e-4;

torch::Tensor GoldenTensor(const Safetensors& golden, const std::string& name) {
  const weights::TensorView& view = golden.tensors().at(name);
  const auto dtype = view.dtype == weights::DType::kU8 ? torch::kUInt8 : torch::kFloat32;
  return torch::from_blob(const_cast<char*>(view.data.data()), view.shape, dtype).clone();
}

double RelativeError(const torch::Tensor& actual, const torch::Tensor& expected) {
  return ((actual - expected).abs().max() / expected.abs().max()).item<double>();
}

class ParityTest : public ::testing::TestWithParam<testing::BackboneAsset> {};
INSTANTIATE_TEST_SUITE_P(Backbones, ParityTest, ::testing::ValuesIn(testing::kBackboneAssets),
                         [](const auto& info) { return info.param.backbone; });

TEST_P(ParityTest, FeaturesAreKerasFeatures) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  ASSERT_OK_AND_ASSIGN(const Safetensors golden, Safetensors::Load(golden_path, ""));
  ASSERT_OK_AND_ASSIGN(std::string bytes, server::ReadKerasWeights(weights_path, GetParam().backbone));
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(std::move(bytes)));
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
  ASSERT_OK_AND_ASSIGN(std::string bytes, server::ReadKerasWeights(weights_path, "mobilenet_v2", {.with_top = true}));
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(std::move(bytes)));
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
