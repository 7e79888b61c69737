#include "core/network/architecture.h"

#include <algorithm>

#include "core/network/backbone_catalog.h"
#include "core/network/expected_tensors.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::StatusIs;

const Layer& LayerNamed(const Architecture& architecture, const std::string& name) {
  return *std::find_if(architecture.layers.begin(), architecture.layers.end(),
                       [&](const Layer& layer) { return layer.name == name; });
}

class EveryBackbone : public ::testing::TestWithParam<int> {
 protected:
  const BackboneFacts facts_ = Backbones()[static_cast<size_t>(GetParam())];
};
INSTANTIATE_TEST_SUITE_P(Catalog, EveryBackbone, ::testing::Range(0, 3),
                         [](const auto& info) { return Backbones()[static_cast<size_t>(info.param)].name; });

TEST_P(EveryBackbone, HasAsManyParametersAsKerasCounts) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(facts_.name));
  int64_t parameters = 0;
  for (const auto& [name, shape] : ExpectedTensors(architecture)) {
    int64_t count = 1;
    for (int64_t dimension : shape) count *= dimension;
    parameters += count;
  }
  EXPECT_EQ(parameters, facts_.parameters);
}

TEST_P(EveryBackbone, EndsInItsFeatures) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(facts_.name));
  const Layer& features = architecture.layers[static_cast<size_t>(architecture.features)];
  EXPECT_EQ(features.channels, facts_.feature_dimension);
  EXPECT_EQ(features.size, 1);
  EXPECT_EQ(static_cast<size_t>(architecture.features), architecture.layers.size() - 1);
}

TEST_P(EveryBackbone, TopComesAfterTheFeatures) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(facts_.name, /*with_top=*/true));
  EXPECT_EQ(architecture.layers.back().name, "predictions");
  EXPECT_EQ(architecture.layers.back().inputs[0], architecture.features);
}

// As `keras.Model` and a FLOP counter give them (docs: 0.2995, 0.7168 and 3.49 thousand million).
TEST(ArchitectureTest, MultiplyAccumulatesAreThoseOfTheNetworks) {
  const auto count = [](const char* backbone, bool with_top = false) {
    const auto architecture = FindArchitecture(backbone, with_top);
    EXPECT_OK(architecture);
    return MultiplyAccumulates(*architecture);
  };
  EXPECT_NEAR(count("mobilenet_v2") * 1e-9, 0.2995, 0.0001);
  EXPECT_NEAR(count("efficientnet_v2_b0") * 1e-9, 0.7168, 0.0001);
  EXPECT_NEAR(count("resnet50_v2") * 1e-9, 3.49, 0.02);
  EXPECT_EQ(count("mobilenet_v2", true) - count("mobilenet_v2"), 1280 * 1000);
}

TEST(ArchitectureTest, StridesPadAtTheBottomRight) {
  ASSERT_OK_AND_ASSIGN(const Architecture mobilenet, FindArchitecture("mobilenet_v2"));
  const auto& first = std::get<Convolution>(LayerNamed(mobilenet, "Conv1").operation);
  EXPECT_EQ(first.padding.top_left, 0);
  EXPECT_EQ(first.padding.bottom_right, 1);
  ASSERT_OK_AND_ASSIGN(const Architecture resnet, FindArchitecture("resnet50_v2"));
  const auto& reduced = std::get<Convolution>(LayerNamed(resnet, "conv2_block3_2_conv").operation);
  EXPECT_EQ(reduced.stride, 2);
  EXPECT_EQ(reduced.padding.top_left, 1);
  EXPECT_EQ(LayerNamed(resnet, "conv5_block3_out").size, 7);
}

TEST(ArchitectureTest, UnknownBackboneIsRefused) {
  EXPECT_THAT(FindArchitecture("vgg16"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace graft::network
