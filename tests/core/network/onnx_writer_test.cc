#include "core/network/onnx_writer.h"

#include <onnx/checker.h>

#include <set>

#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class OnnxWriterTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { Write(/*with_top=*/false); }

  void Write(bool with_top) {
    ASSERT_OK_AND_ASSIGN(const BackboneFacts facts, FindBackbone(GetParam()));
    ASSERT_OK_AND_ASSIGN(architecture_, FindArchitecture(GetParam(), with_top));
    const auto shapes = ExpectedTensors(architecture_);
    ASSERT_OK_AND_ASSIGN(const auto weights,
                         weights::Safetensors::Parse(testing::SerializeFloats(shapes, testing::RandomValues(shapes))));
    ASSERT_OK_AND_ASSIGN(bytes_, WriteOnnx(facts, architecture_, weights));
    ASSERT_OK_AND_ASSIGN(const std::string again, WriteOnnx(facts, architecture_, weights));
    EXPECT_TRUE(again == bytes_);
    ASSERT_TRUE(model_.ParseFromString(bytes_));
  }

  Architecture architecture_;
  std::string bytes_;
  onnx::ModelProto model_;
};
INSTANTIATE_TEST_SUITE_P(Backbones, OnnxWriterTest,
                         ::testing::Values("mobilenet_v2", "efficientnet_v2_b0", "resnet50_v2"),
                         [](const auto& info) { return std::string(info.param); });

// "N x 224 x 224 x 3"
std::string ShapeOf(const onnx::ValueInfoProto& value) {
  std::string text;
  for (const auto& dimension : value.type().tensor_type().shape().dim()) {
    if (!text.empty()) text += " x ";
    text += dimension.has_dim_param() ? dimension.dim_param() : std::to_string(dimension.dim_value());
  }
  return text;
}

TEST_P(OnnxWriterTest, CheckerOfOnnxAcceptsIt) {
  EXPECT_NO_THROW(onnx::checker::check_model(model_));
  Write(/*with_top=*/true);
  EXPECT_NO_THROW(onnx::checker::check_model(model_));
  ASSERT_EQ(model_.graph().output_size(), 2);
  EXPECT_EQ(model_.graph().output(1).name(), "predictions");
  EXPECT_EQ(ShapeOf(model_.graph().output(1)), "N x 1000");
}

TEST_P(OnnxWriterTest, TakesAnyNumberOfBytesImagesAndGivesFeatures) {
  ASSERT_EQ(model_.graph().input_size(), 1);
  EXPECT_EQ(model_.graph().input(0).name(), "image");
  EXPECT_EQ(model_.graph().input(0).type().tensor_type().elem_type(), onnx::TensorProto::UINT8);
  EXPECT_EQ(ShapeOf(model_.graph().input(0)), "N x 224 x 224 x 3");
  ASSERT_EQ(model_.graph().output_size(), 1);
  EXPECT_EQ(model_.graph().output(0).name(), "features");
  EXPECT_EQ(model_.graph().output(0).type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  const int channels = architecture_.layers[static_cast<size_t>(architecture_.features)].channels;
  EXPECT_EQ(ShapeOf(model_.graph().output(0)), "N x " + std::to_string(channels));
  EXPECT_EQ(model_.opset_import_size(), 1);
  EXPECT_EQ(model_.opset_import(0).version(), 13);
}

TEST_P(OnnxWriterTest, ValuesAndWeightsHaveKerasNames) {
  std::set<std::string> nodes, values, weights, types;
  for (const auto& node : model_.graph().node()) {
    nodes.insert(node.name());
    types.insert(node.op_type());
    values.insert(node.output().begin(), node.output().end());
  }
  for (const auto& tensor : model_.graph().initializer()) weights.insert(tensor.name());
  EXPECT_THAT(types, Not(Contains("BatchNormalization")));
  EXPECT_EQ(nodes.size(), static_cast<size_t>(model_.graph().node_size()));
  for (const Layer& layer : architecture_.layers) {
    const auto* convolution = std::get_if<Convolution>(&layer.operation);
    if (convolution == nullptr) {
      EXPECT_THAT(values, Contains(layer.name));
    } else {
      EXPECT_THAT(nodes, Contains(layer.name));
      EXPECT_THAT(weights, Contains(layer.name + (convolution->depthwise ? "/depthwise_kernel" : "/kernel")));
      EXPECT_THAT(weights, Contains(layer.name + "/bias"));
    }
  }
}

TEST(OnnxWriterErrorTest, WeightsOfAnotherNetworkAreDataLoss) {
  ASSERT_OK_AND_ASSIGN(const BackboneFacts facts, FindBackbone("mobilenet_v2"));
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture("mobilenet_v2"));
  ASSERT_OK_AND_ASSIGN(const auto weights, weights::Safetensors::Parse(weights::Serialize({}, {})));
  EXPECT_THAT(WriteOnnx(facts, architecture, weights),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("missing Conv1/kernel")));
}

}  // namespace
}  // namespace graft::network
