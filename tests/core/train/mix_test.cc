#include "core/train/mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>

namespace graft::train {
namespace {

constexpr int kImages = 6, kSize = 16;
constexpr MixOptions kMixup{.mixup_alpha = 0.4}, kCutmix{.cutmix_alpha = 1},
    kBoth{.mixup_alpha = 0.4, .cutmix_alpha = 1};

Mix Draw(const MixOptions& options, int64_t step) {
  return DrawMix(options, 7, 1, step, 0, kImages, kSize);
}

TEST(MixTest, IsAFunctionOfSeedEpochStepAndPass) {
  const auto kept = [](uint32_t seed, int epoch, int step, int pass) {
    return DrawMix(kMixup, seed, epoch, step, pass, kImages, kSize).kept;
  };
  EXPECT_EQ(kept(1, 2, 3, 4), kept(1, 2, 3, 4));
  EXPECT_NE(kept(1, 2, 3, 4), kept(0, 2, 3, 4));
  EXPECT_NE(kept(1, 2, 3, 4), kept(1, 1, 3, 4));
  EXPECT_NE(kept(1, 2, 3, 4), kept(1, 2, 4, 4));
  EXPECT_NE(kept(1, 2, 3, 4), kept(1, 2, 3, 5));
  std::vector<int64_t> partners = Draw(kMixup, 1).partners;
  std::sort(partners.begin(), partners.end());
  EXPECT_THAT(partners, ::testing::ElementsAre(0, 1, 2, 3, 4, 5));
}

// Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)); bounds of five standard errors.
TEST(MixTest, KeptShareIsBetaDistributed) {
  for (const double alpha : {0.2, 1.0, 3.0}) {
    double sum = 0, square_sum = 0;
    constexpr int kDraws = 4000;
    for (int step = 0; step < kDraws; ++step) {
      const double kept = Draw({.mixup_alpha = alpha}, step).kept;
      ASSERT_GE(kept, 0);
      ASSERT_LE(kept, 1);
      sum += kept;
      square_sum += (kept - 0.5) * (kept - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(variance / kDraws)) << alpha;
    EXPECT_NEAR(square_sum / kDraws, variance, 0.1 * variance) << alpha;
  }
}

TEST(MixTest, BothKindsTakeTurnsByAFairCoin) {
  int pasted = 0;
  for (int step = 0; step < 1000; ++step) pasted += Draw(kBoth, step).pastes ? 1 : 0;
  EXPECT_NEAR(pasted, 500, 80);  // five standard deviations
}

TEST(MixTest, BlendsImagesAndTargetsInOneProportion) {
  const torch::Tensor images = torch::rand({kImages, 3, kSize, kSize});
  const Targets targets{.classes = torch::eye(kImages), .teacher = torch::softmax(torch::randn({kImages, 3}), 1)};
  const Mix mix = Draw(kMixup, 3);
  const torch::Tensor mixed = MixImages(mix, images);
  const Targets mixed_targets = MixTargets(mix, targets);
  for (int i = 0; i < kImages; ++i) {
    const int64_t partner = mix.partners[i];
    const auto expected = [&](const torch::Tensor& rows) {
      return mix.kept * rows[i] + (1 - mix.kept) * rows[partner];
    };
    EXPECT_TRUE(torch::allclose(mixed[i], expected(images), 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(mixed_targets.classes[i], expected(targets.classes), 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(mixed_targets.teacher[i], expected(targets.teacher), 1e-5, 1e-6));
  }
}

TEST(MixTest, PastesARectangleOfTheShareThatTheTargetSays) {
  // Every pixel of image i is i.
  const torch::Tensor images =
      torch::arange(kImages, torch::kFloat32).view({-1, 1, 1, 1}).expand({-1, 3, kSize, kSize});
  for (int step = 0; step < 50; ++step) {
    const Mix mix = Draw(kCutmix, step);
    const torch::Tensor mixed = MixImages(mix, images.contiguous());
    for (int i = 0; i < kImages; ++i) {
      if (mix.partners[i] == i) continue;
      EXPECT_NEAR(mixed[i].eq(i).to(torch::kFloat64).mean().item<double>(), mix.kept, 1e-6);
      EXPECT_NEAR(mixed[i].eq(mix.partners[i]).to(torch::kFloat64).mean().item<double>(), 1 - mix.kept, 1e-6);
    }
  }
}

TEST(MixTest, KeepsTheMemoryFormat) {
  const torch::Tensor images = torch::rand({kImages, 3, kSize, kSize}).contiguous(torch::MemoryFormat::ChannelsLast);
  for (const MixOptions& options : {kMixup, kCutmix}) {
    EXPECT_TRUE(MixImages(Draw(options, 1), images).is_contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

}  // namespace
}  // namespace graft::train
