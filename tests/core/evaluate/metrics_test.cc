#include "core/evaluate/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace graft::evaluate {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Optional;

template <typename T>
std::vector<T> Column(const Metrics& metrics, T ClassScores::*field) {
  std::vector<T> values;
  for (const ClassScores& scores : metrics.classes) values.push_back(scores.*field);
  return values;
}

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
  ASSERT_EQ(metrics.classes.size(), 3U);
  EXPECT_THAT(Column(metrics, &ClassScores::precision), ElementsAre(1.0, DoubleNear(1.0 / 3, 1e-12), 0.0));
  EXPECT_THAT(Column(metrics, &ClassScores::recall), ElementsAre(0.5, 1.0, 0.0));
  EXPECT_THAT(Column(metrics, &ClassScores::f1), ElementsAre(DoubleNear(2.0 / 3, 1e-12), 0.5, 0.0));
  EXPECT_THAT(Column(metrics, &ClassScores::images), ElementsAre(2, 1, 1));
  EXPECT_THAT(metrics.confusion, ElementsAre(ConfusionCell{0, 0, 1}, ConfusionCell{0, 1, 1}, ConfusionCell{1, 1, 1},
                                             ConfusionCell{2, 1, 1}));
  EXPECT_NEAR(metrics.macro.f1, (2.0 / 3 + 0.5) / 3, 1e-12);
  EXPECT_NEAR(metrics.weighted.f1, (2 * 2.0 / 3 + 0.5) / 4, 1e-12);
  EXPECT_NEAR(metrics.weighted.recall, metrics.accuracy, 1e-12);
  EXPECT_FALSE(metrics.macro.roc_auc.has_value());
}

TEST(EvaluateTest, AveragesLeaveOutClassesThatDoNotOccur) {
  const Metrics metrics = Evaluate({0.9f, 0.1f, 0.0f, 0.2f, 0.8f, 0.0f}, {0, 1}, 3);
  EXPECT_EQ(metrics.macro.f1, 1);
  EXPECT_EQ(metrics.macro.recall, 1);
  EXPECT_EQ(MacroF1({0, 1}, {0, 1}, 3), 1);
}

TEST(AddRocAucTest, CountsPairsAndHalfOfTies) {
  // Class 0 has 0.6, 0.4 against 0.4, 0.1: of four pairs three are won and one is a tie.
  const std::vector<float> probabilities = {0.6f, 0.4f, 0.4f, 0.6f, 0.4f, 0.6f, 0.1f, 0.9f};
  const std::vector<int> labels = {0, 0, 1, 1};
  Metrics metrics = Evaluate(probabilities, labels, 2);
  AddRocAuc(probabilities, labels, metrics);
  EXPECT_THAT(metrics.classes[0].roc_auc, Optional(0.875));
  EXPECT_THAT(metrics.classes[1].roc_auc, Optional(0.875));
  EXPECT_THAT(metrics.macro.roc_auc, Optional(0.875));
}

TEST(AddRocAucTest, IsUndefinedWithoutBothSides) {
  const std::vector<float> probabilities = {0.6f, 0.3f, 0.1f, 0.5f, 0.4f, 0.1f};
  Metrics metrics = Evaluate(probabilities, {0, 0}, 3);
  AddRocAuc(probabilities, {0, 0}, metrics);
  for (const ClassScores& scores : metrics.classes) EXPECT_FALSE(scores.roc_auc.has_value());
  EXPECT_FALSE(metrics.macro.roc_auc.has_value());
  EXPECT_FALSE(metrics.weighted.roc_auc.has_value());
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
  EXPECT_THAT(Column(metrics, &ClassScores::precision), ElementsAre(0, 0));
  EXPECT_THAT(Column(metrics, &ClassScores::recall), ElementsAre(0, 0));
  EXPECT_THAT(metrics.confusion, ElementsAre());
  EXPECT_EQ(metrics.macro.f1, 0);
}

}  // namespace
}  // namespace graft::evaluate
