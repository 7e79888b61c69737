#include "core/evaluate/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/evaluate/metrics.h"

namespace graft::evaluate {
namespace {

TEST(ExpectedCalibrationErrorTest, WeighsTheGapOfEachBin) {
  // Two images in the bin of 0.9, one of them right; one in that of 0.6, right.
  const std::vector<float> probabilities = {0.9f, 0.1f, 0.9f, 0.1f, 0.4f, 0.6f};
  EXPECT_NEAR(ExpectedCalibrationError(probabilities, {0, 1, 1}, 2), (2 * 0.4 + 0.4) / 3, 1e-6);
  EXPECT_EQ(ExpectedCalibrationError({}, {}, 2), 0);
  EXPECT_EQ(ExpectedCalibrationError({1.0f, 0.0f}, {0}, 2), 0);
  EXPECT_EQ(ExpectedCalibrationError({1.0f, 0.0f}, {1}, 2), 1);
}

TEST(SoftmaxAtTest, TemperatureFlattensAndKeepsTheOrder) {
  std::vector<float> cold = {2, 1, 0}, warm = {2, 1, 0};
  SoftmaxAt(1, absl::MakeSpan(cold), 3);
  SoftmaxAt(2, absl::MakeSpan(warm), 3);
  EXPECT_NEAR(warm[0], std::exp(1.0) / (std::exp(1.0) + std::exp(0.5) + 1), 1e-6);
  EXPECT_GT(cold[0], warm[0]);
  EXPECT_GT(warm[0], warm[1]);
  EXPECT_GT(warm[1], warm[2]);
}

// `images` of two classes whose top class is right in `right` of ten cases, all with logits `logit` and 0.
double TemperatureOf(int images, int right, float logit) {
  std::vector<float> logits;
  std::vector<int> labels;
  for (int i = 0; i < images; ++i) {
    logits.insert(logits.end(), {logit, 0});
    labels.push_back(i % 10 < right ? 0 : 1);
  }
  return FitTemperature(logits, labels, 2);
}

TEST(FitTemperatureTest, FindsTheTemperatureWhoseProbabilityIsTheAccuracy) {
  // softmax([z / T, 0]) = 0.8 where z / T = log 4.
  EXPECT_NEAR(TemperatureOf(100000, 8, 4), 4 / std::log(4.0), 1e-3);
  EXPECT_NEAR(TemperatureOf(100000, 8, 1), 1 / std::log(4.0), 1e-3);
}

TEST(FitTemperatureTest, FewImagesThatAreAllRightDoNotMakeItCertain) {
  const double temperature = TemperatureOf(20, 10, 3);
  EXPECT_LT(temperature, 1);
  EXPECT_GT(temperature, 0.4);
}

TEST(FitTemperatureTest, StaysWithinItsBounds) {
  EXPECT_EQ(FitTemperature({}, {}, 2), 1);
  EXPECT_NEAR(TemperatureOf(100000, 0, 4), kMaxTemperature, 1e-6);  // always wrong: the flatter the better
  EXPECT_NEAR(TemperatureOf(20, 10, 0.001f), 1, 0.02);              // hardly any evidence
  EXPECT_GE(TemperatureOf(1000000, 10, 0.05f), kMinTemperature - 1e-9);
  const double extreme = FitTemperature({1e30f, 0, 0, 1e30f}, {0, 0}, 2);
  EXPECT_TRUE(std::isfinite(extreme));
  EXPECT_LE(extreme, kMaxTemperature + 1e-9);
}

TEST(FitTemperatureTest, IsTheMinimumOfWhatItMinimises) {
  std::vector<float> logits;
  std::vector<int> labels;
  for (int i = 0; i < 300; ++i) {
    for (int k = 0; k < 5; ++k) logits.push_back(static_cast<float>(std::sin(i * 7 + k * 3) * 4));
    const auto row = logits.end() - 5;
    // Two in three are right: the best temperature lies between the bounds.
    labels.push_back(i % 3 == 0 ? (i * i) % 5 : static_cast<int>(std::max_element(row, logits.end()) - row));
  }
  const auto objective = [&](double b) {
    std::vector<float> probabilities = logits;
    SoftmaxAt(1 / b, absl::MakeSpan(probabilities), 5);
    return 300 * MeanLoss(probabilities, labels, 5) + (b - 1) * (b - 1) / 2;
  };
  const double b = 1 / FitTemperature(logits, labels, 5);
  EXPECT_LE(objective(b), objective(b * 1.01) + 1e-6);
  EXPECT_LE(objective(b), objective(b * 0.99) + 1e-6);
}

}  // namespace
}  // namespace graft::evaluate
