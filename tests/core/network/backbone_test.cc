#include "core/network/backbone.h"

#include <torch/torch.h>

#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using weights::Safetensors;

using Shapes = std::map<std::string, Shape>;

Shapes MobileNetShapes() {
  return ExpectedTensors(*FindArchitecture("mobilenet_v2"));
}

absl::StatusOr<std::unique_ptr<Backbone>> Load(const Shapes& shapes) {
  const auto file = Safetensors::Parse(testing::SerializeFloats(shapes, testing::RandomValues(shapes)));
  if (!file.ok()) return file.status();
  return Backbone::Create("mobilenet_v2", *file, {});
}

TEST(BackboneTest, SubmodulesAndVariablesHaveKerasNames) {
  ASSERT_OK_AND_ASSIGN(const auto backbone, Load(MobileNetShapes()));
  const auto parameters = backbone->module()->named_parameters();
  EXPECT_TRUE(parameters.contains("block_3_expand.kernel"));
  EXPECT_TRUE(parameters.contains("block_3_depthwise.depthwise_kernel"));
  EXPECT_TRUE(backbone->module()->named_buffers().contains("bn_Conv1.moving_variance"));
}

TEST(BackboneTest, IsFrozenAndInEvalMode) {
  ASSERT_OK_AND_ASSIGN(const auto backbone, Load(MobileNetShapes()));
  EXPECT_FALSE(backbone->module()->is_training());
  for (const torch::Tensor& parameter : backbone->module()->parameters()) EXPECT_FALSE(parameter.requires_grad());
  ASSERT_OK_AND_ASSIGN(const torch::Tensor features, backbone->Features(torch::zeros({2, 224, 224, 3}, torch::kUInt8)));
  EXPECT_EQ(features.sizes(), (std::vector<int64_t>{2, 1280}));
  EXPECT_FALSE(features.requires_grad());
}

TEST(BackboneTest, TrainingModeMovesStatisticsAsKerasDoes) {
  ASSERT_OK_AND_ASSIGN(const auto backbone, Load(MobileNetShapes()));
  GraphModule& module = *backbone->module();
  const torch::Tensor mean = module.named_buffers()["bn_Conv1.moving_mean"];
  const torch::Tensor before = mean.clone();
  const torch::NoGradGuard no_grad;
  const torch::Tensor images = torch::rand({2, 3, 224, 224});
  const torch::Tensor convolved = module.Forward(images, 1);
  module.train();
  module.Forward(images, 2);
  const torch::Tensor expected = 0.999 * before + 0.001 * convolved.mean({0, 2, 3});
  EXPECT_TRUE(torch::allclose(mean, expected, 1e-4, 1e-6));
}

TEST(BackboneTest, WrongShapeIsNamed) {
  Shapes shapes = MobileNetShapes();
  shapes["block_3_expand/kernel"] = {144, 24, 3, 3};
  EXPECT_THAT(Load(shapes),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("load mobilenet_v2"),
                             HasSubstr("block_3_expand/kernel: expected [144, 24, 1, 1], got [144, 24, 3, 3]"))));
}

TEST(BackboneTest, MissingAndUnexpectedWeightsAreNamed) {
  Shapes shapes = MobileNetShapes();
  shapes.erase("bn_Conv1/beta");
  shapes["bn_Conv1/delta"] = {32};
  EXPECT_THAT(Load(shapes), StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("missing bn_Conv1/beta"),
                                                                        HasSubstr("unexpected bn_Conv1/delta"))));
}

TEST(BackboneTest, WrongTypeIsNamed) {
  const Shapes shapes = MobileNetShapes();
  const auto values = testing::RandomValues(shapes);
  std::map<std::string, weights::TensorView> views;
  for (const auto& [name, shape] : shapes) {
    views[name] = {weights::DType::kI32,
                   shape,
                   {reinterpret_cast<const char*>(values.at(name).data()), values.at(name).size() * 4}};
  }
  ASSERT_OK_AND_ASSIGN(const Safetensors file, Safetensors::Parse(weights::Serialize(views, {})));
  EXPECT_THAT(Backbone::Create("mobilenet_v2", file, {}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected F32, got I32")));
}

TEST(BackboneTest, WrongImagesAndMissingTopAreRefused) {
  ASSERT_OK_AND_ASSIGN(const auto backbone, Load(MobileNetShapes()));
  EXPECT_THAT(backbone->Features(torch::zeros({1, 3, 224, 224}, torch::kUInt8)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("[1, 3, 224, 224]")));
  EXPECT_THAT(backbone->Features(torch::zeros({1, 224, 224, 3})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(backbone->Probabilities(torch::zeros({1, 224, 224, 3}, torch::kUInt8)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("without its top")));
}

}  // namespace
}  // namespace graft::network
