#include "core/engine/engine.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "core/base/file.h"
#include "core/engine/torch_engine.h"
#include "core/network/backbone.h"
#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::engine {
namespace {

using ::graft::testing::StatusIs;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr size_t kImageBytes = 224 * 224 * 3;

std::vector<uint8_t> RandomImages(int count) {
  std::mt19937 engine(5);
  std::vector<uint8_t> images(kImageBytes * static_cast<size_t>(count));
  for (uint8_t& value : images) value = static_cast<uint8_t>(engine());
  return images;
}

// Each implementation that runs on the CPU, with each backbone.
struct EngineCase {
  const char* name;
  const char* backbone;
  absl::StatusOr<std::unique_ptr<Engine>> (*create)(const weights::StoredWeights&, const EngineTarget&);
};
constexpr EngineCase kCases[] = {
    {"openvino_mobilenet_v2", "mobilenet_v2", CreateEngine},
    {"openvino_efficientnet_v2_b0", "efficientnet_v2_b0", CreateEngine},
    {"openvino_resnet50_v2", "resnet50_v2", CreateEngine},
    {"libtorch_mobilenet_v2", "mobilenet_v2", CreateTorchEngine},
    {"libtorch_efficientnet_v2_b0", "efficientnet_v2_b0", CreateTorchEngine},
    {"libtorch_resnet50_v2", "resnet50_v2", CreateTorchEngine},
};

class EngineTest : public ::testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const auto architecture, network::FindArchitecture(GetParam().backbone));
    const auto shapes = network::ExpectedTensors(architecture);
    const std::string bytes = testing::SerializeFloats(shapes, testing::RandomValues(shapes));
    ASSERT_OK_AND_ASSIGN(stored_, weights::PutWeights(folder_.path(), GetParam().backbone, bytes, "random", "none"));
    ASSERT_OK_AND_ASSIGN(engine_, GetParam().create(stored_, {.threads = 2}));
  }

  std::vector<float> Run(absl::Span<const uint8_t> images, Cores cores = Cores::kOne) {
    const size_t count = images.size() / kImageBytes;
    std::vector<float> features(count * static_cast<size_t>(engine_->facts().feature_dimension), -1.0F);
    EXPECT_OK(engine_->Run(images, static_cast<int>(count), absl::MakeSpan(features), cores));
    return features;
  }

  const testing::TemporaryFolder folder_;
  weights::StoredWeights stored_;
  std::unique_ptr<Engine> engine_;
};
INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_P(EngineTest, RowsDoNotDependOnTheirCompany) {
  constexpr int kImages = 4;
  const std::vector<uint8_t> images = RandomImages(kImages);
  const std::vector<float> together = Run(images);
  const size_t dimension = together.size() / kImages;
  std::vector<std::vector<float>> alone(kImages);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kImages; ++i) {
    threads.emplace_back([&, i] { alone[i] = Run(absl::MakeSpan(images).subspan(i * kImageBytes, kImageBytes)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < kImages; ++i) {
    const auto row = together.begin() + static_cast<ptrdiff_t>(i * dimension);
    EXPECT_EQ(alone[i], std::vector<float>(row, row + static_cast<ptrdiff_t>(dimension))) << "image " << i;
  }
}

TEST_P(EngineTest, AllCoresComputeTheSameNetwork) {
  const std::vector<uint8_t> images = RandomImages(2);
  const std::vector<float> one = Run(images, Cores::kOne);
  const std::vector<float> all = Run(images, Cores::kAll);
  float largest = 0, difference = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    largest = std::max(largest, std::abs(one[i]));
    difference = std::max(difference, std::abs(one[i] - all[i]));
  }
  EXPECT_LT(difference / largest, 1e-3F);  // rounding, in another order
}

TEST_P(EngineTest, BytesCoverTheWeights) {
  EXPECT_GE(engine_->bytes(), engine_->facts().parameters * 4);
}

// Against float64: random weights on noise are ill-conditioned (EfficientNetV2-B0 in plain float32 is 4e-4 from
// float64), so folding is held to the error that float32 makes anyway. Real weights and photos are held to 1e-4 in
// parity_test.cc.
TEST_P(EngineTest, FoldedNetworkIsAsExactAsTheTrainedOne) {
  std::vector<uint8_t> images = RandomImages(2);
  std::vector<float> folded = Run(images);
  ASSERT_OK_AND_ASSIGN(const auto file, weights::Safetensors::Load(stored_.path, stored_.sha256));
  ASSERT_OK_AND_ASSIGN(const auto backbone, network::Backbone::Create(GetParam().backbone, file, {}));
  const torch::Tensor input = torch::from_blob(images.data(), {2, 224, 224, 3}, torch::kUInt8);
  ASSERT_OK_AND_ASSIGN(const torch::Tensor plain, backbone->Features(input));

  const torch::NoGradGuard no_grad;
  const torch::Tensor normalized =
      network::NormalizeImages(input, backbone->facts().normalization, torch::kCPU).to(torch::kFloat64);
  network::GraphModule& module = *backbone->module();
  module.to(torch::kFloat64);
  const torch::Tensor exact = module.Forward(normalized, module.architecture().features).flatten(1);
  const auto error = [&](const torch::Tensor& features) {
    return ((features - exact).abs().max() / exact.abs().max()).item<double>();
  };
  EXPECT_LT(error(torch::from_blob(folded.data(), exact.sizes())), 2 * error(plain) + 1e-5);
}

TEST_P(EngineTest, CallersThreadsKeepTheirThreadCount) {
  torch::set_num_threads(3);
  Run(RandomImages(1));
  Run(RandomImages(1), Cores::kAll);
  EXPECT_EQ(torch::get_num_threads(), 3);
  int elsewhere = 0;
  std::thread([&] { elsewhere = torch::get_num_threads(); }).join();
  EXPECT_EQ(elsewhere, 3);
}

// More callers than streams.
TEST_P(EngineTest, AnyNumberOfCallersGetTheSameBits) {
  constexpr int kCallers = 7;
  const std::vector<uint8_t> image = RandomImages(1);
  const std::vector<float> expected = Run(image);
  std::vector<std::vector<float>> features(kCallers);
  std::vector<std::thread> threads;
  for (std::vector<float>& own : features) {
    threads.emplace_back([&] { own = Run(image); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(features, Each(expected));
}

TEST_P(EngineTest, BuffersOfTheWrongSizeAreRefused) {
  std::vector<uint8_t> images(kImageBytes);
  std::vector<float> features(7);
  EXPECT_THAT(engine_->Run(images, 1, absl::MakeSpan(features), Cores::kOne),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(engine_->Run(images, -1, absl::MakeSpan(features), Cores::kOne),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(engine_->Run({}, 0, {}, Cores::kOne));
}

TEST_P(EngineTest, DamagedWeightsAreRefused) {
  weights::StoredWeights other = stored_;
  other.sha256 = std::string(64, '0');
  EXPECT_THAT(GetParam().create(other, {}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(stored_.sha256)));
}

TEST(EngineIdTest, NamesLibraryDeviceAndPrecision) {
  EXPECT_THAT(EngineId("cpu", Precision::kF32), MatchesRegex("openvino-[0-9.]+/cpu/f32"));
  EXPECT_THAT(EngineId("cuda:0", Precision::kBf16), MatchesRegex("libtorch-[0-9.]+/cuda/bf16"));
  EXPECT_EQ(EngineId("cuda:0", Precision::kF32), EngineId("cuda:1", Precision::kF32));
}

TEST(CreateEngineTest, UnknownAndMissingDevicesAreRefused) {
  const weights::StoredWeights weights{.backbone = "mobilenet_v2"};
  EXPECT_THAT(CreateEngine(weights, {.device = "tpu:0"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tpu:0")));
  EXPECT_THAT(CreateEngine(weights, {.device = "cuda:99"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_FALSE(SupportsPrecision("cuda:99", Precision::kF32));
  EXPECT_THAT(CreateEngine(weights, {.threads = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("threads")));
}

TEST(CreateEngineTest, PrecisionThatTheProcessorLacksIsRefused) {
  EXPECT_TRUE(SupportsPrecision("cpu", Precision::kF32));
  if (SupportsPrecision("cpu", Precision::kBf16)) GTEST_SKIP() << "this processor has bfloat16";
  EXPECT_THAT(CreateEngine({.backbone = "mobilenet_v2"}, {.precision = Precision::kBf16}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("bf16")));
}

TEST(Bf16Test, IsTakenForFasterOnlyWithAMatrixUnit) {
  EXPECT_FALSE(IsBf16Faster("cuda:99"));
#ifdef __x86_64__
  ASSERT_OK_AND_ASSIGN(const std::string cpuinfo, ReadFile("/proc/cpuinfo", 16 << 20));
  EXPECT_EQ(IsBf16Faster("cpu"), absl::StrContains(cpuinfo, " amx_bf16 "));
#endif
}

}  // namespace
}  // namespace graft::engine
