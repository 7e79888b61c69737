// What the engine folds and fuses must still be Keras' network.
#include <cmath>
#include <cstring>
#include <iostream>

#include "core/engine/engine.h"
#include "core/weights/safetensors.h"
#include "server/weights/import_weights.h"
#include "tests/testing/assets.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::engine {
namespace {

class EngineParityTest : public ::testing::TestWithParam<testing::BackboneAsset> {};
INSTANTIATE_TEST_SUITE_P(Backbones, EngineParityTest, ::testing::ValuesIn(testing::kBackboneAssets),
                         [](const auto& info) { return info.param.backbone; });

TEST_P(EngineParityTest, FeaturesAreKerasFeatures) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  const testing::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto golden, weights::Safetensors::Load(golden_path, ""));
  ASSERT_OK_AND_ASSIGN(const auto stored, server::ImportWeights(folder.path(), GetParam().backbone, weights_path));
  ASSERT_OK_AND_ASSIGN(const auto engine, CreateEngine(stored, {.device = "cpu"}));

  const absl::string_view images = golden.tensors().at("images_u8_nhwc").data;
  const absl::string_view expected_bytes = golden.tensors().at(GetParam().features).data;
  std::vector<float> expected(expected_bytes.size() / sizeof(float)), features(expected.size());
  std::memcpy(expected.data(), expected_bytes.data(), expected_bytes.size());
  ASSERT_OK(engine->Run({reinterpret_cast<const uint8_t*>(images.data()), images.size()}, 8, absl::MakeSpan(features),
                        Cores::kOne));
  float largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(expected[i] - features[i]));
  }
  EXPECT_LT(error / largest, 1e-4F);
  std::cout << "relative error: " << error / largest << "\n";
}

}  // namespace
}  // namespace graft::engine
