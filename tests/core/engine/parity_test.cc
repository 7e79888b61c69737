// What the engines fold, fuse and convert must still be Keras' network.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>

#include "core/engine/engine.h"
#include "core/engine/torch_engine.h"
#include "core/weights/safetensors.h"
#include "server/weights/import_weights.h"
#include "tests/testing/assets.h"
#include "tests/testing/network_assets.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::engine {
namespace {

constexpr int kImages = 8;

// Largest difference over largest value.
float RelativeError(const std::vector<float>& actual, const std::vector<float>& expected) {
  float largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(expected[i] - actual[i]));
  }
  return error / largest;
}

double Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

class EngineParityTest : public ::testing::TestWithParam<testing::BackboneAsset> {
 protected:
  void Load(const std::string& weights_path, const std::string& golden_path) {
    ASSERT_OK_AND_ASSIGN(stored_, server::ImportWeights(folder_.path(), GetParam().backbone, weights_path));
    ASSERT_OK_AND_ASSIGN(const auto golden, weights::Safetensors::Load(golden_path, ""));
    const absl::string_view images = golden.tensors().at("images_u8_nhwc").data;
    const absl::string_view features = golden.tensors().at(GetParam().features).data;
    images_.assign(images.begin(), images.end());
    expected_.resize(features.size() / sizeof(float));
    std::memcpy(expected_.data(), features.data(), features.size());
  }

  // Of all golden images, `batch` per call.
  std::vector<float> Features(Engine& engine, int batch, Cores cores) {
    std::vector<float> features(expected_.size());
    const size_t pixels = images_.size() / kImages, dimension = features.size() / kImages;
    for (size_t first = 0; first < kImages; first += static_cast<size_t>(batch)) {
      const auto rows = static_cast<size_t>(batch);
      EXPECT_OK(engine.Run(absl::MakeConstSpan(images_).subspan(first * pixels, rows * pixels), batch,
                           absl::MakeSpan(features).subspan(first * dimension, rows * dimension), cores));
    }
    return features;
  }

  // Whether each image's features point where float32's do. Emulated by LibTorch the cosines are 0.9988 and more; a
  // wrong layer makes less than 0.9.
  void ExpectBf16Near(Engine& engine, const std::vector<float>& f32) {
    const std::vector<float> bf16 = Features(engine, kImages, Cores::kOne);
    const size_t dimension = f32.size() / kImages;
    double least = 1;
    for (size_t i = 0; i < kImages; ++i) {
      least = std::min(least, Cosine(absl::MakeConstSpan(bf16).subspan(i * dimension, dimension),
                                     absl::MakeConstSpan(f32).subspan(i * dimension, dimension)));
    }
    EXPECT_GT(least, 0.99);
    std::cout << "least cosine: " << least << "\n";
  }

  const testing::TemporaryFolder folder_;
  weights::StoredWeights stored_;
  std::vector<uint8_t> images_;  // [8, 224, 224, 3]
  std::vector<float> expected_;  // [8, D]
};
INSTANTIATE_TEST_SUITE_P(Backbones, EngineParityTest, ::testing::ValuesIn(testing::kBackboneAssets),
                         [](const auto& info) { return info.param.backbone; });

TEST_P(EngineParityTest, FeaturesAreKerasFeatures) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  Load(weights_path, golden_path);
  ASSERT_OK_AND_ASSIGN(const auto openvino, CreateEngine(stored_, {.threads = 2}));
  ASSERT_OK_AND_ASSIGN(const auto libtorch, CreateTorchEngine(stored_, {.threads = 2}));
  const std::vector<float> reference = Features(*libtorch, kImages, Cores::kOne);
  EXPECT_LT(RelativeError(reference, expected_), 1e-4F);
  for (const Cores cores : {Cores::kOne, Cores::kAll}) {
    for (const int batch : {1, kImages}) {
      const std::vector<float> features = Features(*openvino, batch, cores);
      EXPECT_LT(RelativeError(features, expected_), 1e-4F);
      EXPECT_LT(RelativeError(features, reference), 1e-4F);
      std::cout << (cores == Cores::kOne ? "one core" : "all cores") << ", " << batch << " a call, relative error to "
                << "Keras: " << RelativeError(features, expected_)
                << ", to LibTorch: " << RelativeError(features, reference) << "\n";
    }
  }
}

TEST_P(EngineParityTest, Bf16OnTheProcessorIsNearFloat32) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  if (!SupportsPrecision("cpu", Precision::kBf16)) GTEST_SKIP() << "needs a processor with bfloat16";
  Load(weights_path, golden_path);
  ASSERT_OK_AND_ASSIGN(const auto engine, CreateEngine(stored_, {.precision = Precision::kBf16}));
  ExpectBf16Near(*engine, expected_);
}

// LibTorch's bfloat16 plan is meant for GPUs; the CPU emulates it.
TEST_P(EngineParityTest, Bf16InLibTorchIsNearFloat32) {
  REQUIRE_ASSET(weights_path, GetParam().weights);
  REQUIRE_ASSET(golden_path, testing::kGolden);
  Load(weights_path, golden_path);
  ASSERT_OK_AND_ASSIGN(const auto engine, CreateTorchEngine(stored_, {.precision = Precision::kBf16}));
  ExpectBf16Near(*engine, expected_);
}

}  // namespace
}  // namespace graft::engine
