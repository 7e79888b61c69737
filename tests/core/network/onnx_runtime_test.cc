// What the ONNX writer writes, in a runtime that nobody here wrote: ONNX Runtime's wheel.
#include <torch/torch.h>

#include <cstring>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/network/backbone.h"
#include "core/network/onnx_writer.h"
#include "tests/integration/program.h"
#include "tests/testing/assets.h"
#include "tests/testing/golden.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::network {
namespace {

using testing::RelativeError;
using weights::Safetensors;

std::string BytesOf(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.contiguous();
  return {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()};
}

class OnnxRuntimeTest : public ::testing::TestWithParam<testing::BackboneAsset> {
 protected:
  void WriteModel(const Safetensors& weights, bool with_top = false) {
    ASSERT_OK_AND_ASSIGN(const BackboneFacts facts, FindBackbone(GetParam().backbone));
    ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(GetParam().backbone, with_top));
    ASSERT_OK_AND_ASSIGN(const std::string onnx, WriteOnnx(facts, architecture, weights));
    ASSERT_OK(WriteFileDurably(folder_ / "model.onnx", onnx));
  }

  // Writes images and expected outputs beside the model and lets ONNX Runtime compare.
  void ExpectOutputs(const torch::Tensor& images, const std::map<std::string, torch::Tensor>& expected,
                     double tolerance) {
    ASSERT_OK(WriteFileDurably(folder_ / "images", BytesOf(images)));
    std::vector<std::string> words = {"core/network/onnx_parity.py", folder_ / "model.onnx", folder_ / "images",
                                      absl::StrCat(tolerance)};
    for (const auto& [name, values] : expected) {
      ASSERT_OK(WriteFileDurably(folder_ / name, BytesOf(values.to(torch::kFloat32))));
      words.push_back(name + "=" + (folder_ / name));
    }
    const testing::Outcome outcome = testing::RunPython(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::cout << outcome.out;
  }

  const testing::TemporaryFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(Backbones, OnnxRuntimeTest, ::testing::ValuesIn(testing::kBackboneAssets),
                         [](const auto& info) { return info.param.backbone; });

TEST_P(OnnxRuntimeTest, FeaturesAreLibTorchs) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  ASSERT_OK_AND_ASSIGN(const Safetensors golden, Safetensors::Load(golden_path, ""));
  ASSERT_OK_AND_ASSIGN(const Safetensors file, testing::LoadKerasWeights(weights_path, GetParam().backbone));
  ASSERT_OK_AND_ASSIGN(const auto backbone, Backbone::Create(GetParam().backbone, file, {}));
  const torch::Tensor images = testing::GoldenTensor(golden, "images_u8_nhwc");
  ASSERT_OK_AND_ASSIGN(const torch::Tensor features, backbone->Features(images));
  WriteModel(file);
  ExpectOutputs(images, {{"features", features}}, 1e-4);
}

// Against float64 and loosely, since random weights on noise are ill-conditioned: float32 in another order is several
// times as far off (EfficientNetV2-B0 5e-4), what is folded wrongly hundreds of times.
TEST_P(OnnxRuntimeTest, RandomNetworkWithHeadIsAboutAsExactAsLibTorchs) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(GetParam().backbone, /*with_top=*/true));
  const auto shapes = ExpectedTensors(architecture);
  ASSERT_OK_AND_ASSIGN(const Safetensors file,
                       Safetensors::Parse(testing::SerializeFloats(shapes, testing::RandomValues(shapes))));
  ASSERT_OK_AND_ASSIGN(const auto backbone, Backbone::Create(GetParam().backbone, file, {.with_top = true}));
  torch::manual_seed(5);
  const torch::Tensor images = torch::randint(0, 256, {2, 224, 224, 3}, torch::kUInt8);
  ASSERT_OK_AND_ASSIGN(const torch::Tensor features, backbone->Features(images));
  ASSERT_OK_AND_ASSIGN(const torch::Tensor probabilities, backbone->Probabilities(images));

  const torch::NoGradGuard no_grad;
  const torch::Tensor normalized =
      NormalizeImages(images, backbone->facts().normalization, torch::kCPU).to(torch::kFloat64);
  GraphModule& module = *backbone->module();
  module.to(torch::kFloat64);
  const torch::Tensor exact_features = module.Forward(normalized, architecture.features).flatten(1);
  const torch::Tensor exact_probabilities =
      module.Forward(normalized, static_cast<int>(architecture.layers.size()) - 1);
  const double error =
      std::max(RelativeError(features, exact_features), RelativeError(probabilities, exact_probabilities));
  WriteModel(file, /*with_top=*/true);
  ExpectOutputs(images, {{"features", exact_features}, {"predictions", exact_probabilities}}, 10 * error + 1e-5);
}

}  // namespace
}  // namespace graft::network
