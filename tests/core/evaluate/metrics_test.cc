#include "core/evaluate/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace graft::evaluate {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(SoftmaxTest, RowsAreIndependentAndSumToOne) {
  std::vector<float> logits = {0, std::log(3.0f), 7, 7};
  Softmax(absl::MakeSpan(logits), 2);
  EXPECT_NEAR(logits[0], 0.25, 1e-6);
  EXPECT_NEAR(logits[1], 0.75, 1e-6);
  EXPECT_EQ(logits[2], 0.5f);
  EXPECT_EQ(logits[3], 0.5f);
}

TEST(SoftmaxTest, LargeLogitsDoNotOverflow) {
  std::vector<float> logits = {1000, 0, -1000};
  Softmax(absl::MakeSpan(logits), 3);
  EXPECT_EQ(logits[0], 1.0f);
  EXPECT_EQ(logits[1], 0.0f);
  EXPECT_EQ(logits[2], 0.0f);
}

TEST(TopClassesTest, AreTheMostProbableOfEachRow) {
  EXPECT_THAT(TopClasses({0.2f, 0.8f, 0.9f, 0.1f, 0.5f, 0.5f}, 2), ElementsAre(1, 0, 0));
  EXPECT_THAT(TopClasses({}, 2), ElementsAre());
}

TEST(AgreementTest, IsTheShareOfEqualClasses) {
  EXPECT_EQ(Agreement({0, 1, 2, 2}, {0, 1, 1, 2}), 0.75);
  EXPECT_EQ(Agreement({}, {}), 1);
}

TEST(EvaluateTest, MatchesNumbersWorkedOutByHand) {
  // Four images of classes 0, 0, 1, 2; predicted 0, 1, 1, 1.
  const std::vector<float> probabilities = {0.7f, 0.2f, 0.1f,  //
                                            0.3f, 0.6f, 0.1f,  //
                                            0.1f, 0.8f, 0.1f,  //
                                            0.2f, 0.5f, 0.3f};
  const Metrics metrics = Evaluate(probabilities, {0, 0, 1, 2}, 3);
  EXPECT_NEAR(metrics.loss, -(std::log(0.7) + std::log(0.3) + std::log(0.8) + std::log(0.3)) / 4, 1e-6);
  EXPECT_EQ(metrics.accuracy, 0.5);
  EXPECT_THAT(metrics.precision, ElementsAre(1.0, DoubleNear(1.0 / 3, 1e-12), 0.0));
  EXPECT_THAT(metrics.recall, ElementsAre(0.5, 1.0, 0.0));
  EXPECT_THAT(metrics.images, ElementsAre(2, 1, 1));
  EXPECT_THAT(metrics.confusion, ElementsAre(1, 1, 0, 0, 1, 0, 0, 1, 0));
}

TEST(EvaluateTest, CertainAndWrongCostsWhatKerasSays) {
  const Metrics metrics = Evaluate({1.0f, 0.0f}, {1}, 2);
  EXPECT_NEAR(metrics.loss, -std::log(1e-7), 1e-9);
  EXPECT_EQ(metrics.accuracy, 0);
}

TEST(EvaluateTest, AbsentClassesAndNoImagesGiveZeros) {
  const Metrics metrics = Evaluate({}, {}, 2);
  EXPECT_EQ(metrics.loss, 0);
  EXPECT_EQ(metrics.accuracy, 0);
  EXPECT_THAT(metrics.precision, ElementsAre(0, 0));
  EXPECT_THAT(metrics.recall, ElementsAre(0, 0));
}

}  // namespace
}  // namespace graft::evaluate
