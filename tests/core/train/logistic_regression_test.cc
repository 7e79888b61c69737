#include "core/train/logistic_regression.h"

#include <cmath>
#include <limits>

#include "tests/testing/status_matchers.h"

namespace graft::train {
namespace {

using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

const auto kFloat64 = torch::TensorOptions(torch::kFloat64);

bool Never() {
  return false;
}

class LogisticRegressionTest : public ::testing::Test {
 protected:
  static constexpr int kImages = 60, kDimension = 6, kClasses = 4;

  void SetUp() override {
    torch::manual_seed(3);
    features_ = torch::cat({torch::randn({kImages, kDimension}, kFloat64), torch::ones({kImages, 1}, kFloat64)}, 1);
    labels_ = torch::randint(0, kClasses, {kImages}, torch::kInt64);
    weights_ = torch::randn({kDimension + 1, kClasses}, kFloat64);
  }
  LogisticRegression Make() const { return {features_, labels_, kClasses}; }

  torch::Tensor features_, labels_, weights_;
};

TEST_F(LogisticRegressionTest, GradientIsTheFiniteDifference) {
  constexpr double kL2 = 0.3, kStep = 1e-5;
  LogisticRegression regression = Make();
  regression.SetWeights(weights_);
  const torch::Tensor gradient = regression.Gradient(kL2);
  for (int row = 0; row <= kDimension; ++row) {
    for (int column = 0; column < kClasses; ++column) {
      double values[2];
      for (const int side : {0, 1}) {
        torch::Tensor moved = weights_.clone();
        moved[row][column] += side == 0 ? -kStep : kStep;
        regression.SetWeights(moved);
        values[side] = regression.Objective(kL2);
      }
      // Central differences are off by step^2 and by 1e-16 / step.
      EXPECT_NEAR(gradient[row][column].item<double>(), (values[1] - values[0]) / (2 * kStep), 1e-9);
    }
  }
}

TEST_F(LogisticRegressionTest, ObjectiveIsCrossEntropyAndPenaltyWithoutTheBias) {
  LogisticRegression regression = Make();
  EXPECT_NEAR(regression.MeanLoss(), std::log(kClasses), 1e-12);  // at 0
  regression.SetWeights(weights_);
  const double loss = torch::nn::functional::cross_entropy(features_.mm(weights_), labels_).item<double>();
  const double squares = weights_.narrow(0, 0, kDimension).square().sum().item<double>();
  EXPECT_NEAR(regression.MeanLoss(), loss, 1e-12);
  EXPECT_NEAR(regression.Objective(0.5), loss + 0.25 * squares, 1e-12);
  EXPECT_NEAR(regression.Accuracy(),
              features_.mm(weights_).argmax(1).eq(labels_).to(torch::kFloat64).mean().item<double>(), 1e-12);
}

TEST_F(LogisticRegressionTest, MinimumIsTheSameFromEverywhere) {
  for (const double l2 : {1e-6, 1e-3, 1.0, 1000.0}) {
    LogisticRegression from_zero = Make(), from_elsewhere = Make();
    from_elsewhere.SetWeights(3 * weights_);
    ASSERT_OK_AND_ASSIGN(const auto minimised, from_zero.Minimise(l2, Never));
    ASSERT_OK(from_elsewhere.Minimise(l2, Never));
    EXPECT_GT(minimised.iterations, 0);
    EXPECT_LE(minimised.gradient, LogisticRegression::kGradientTolerance);
    EXPECT_LE(from_zero.Gradient(l2).abs().max().item<double>(), 1.01 * LogisticRegression::kGradientTolerance);
    EXPECT_NEAR(from_zero.Objective(l2), from_elsewhere.Objective(l2), 1e-9) << l2;
  }
}

// Newton's method on a problem small enough for its Hessian: one feature, two classes, where W = (w, -w) by symmetry
// and the optimum fulfils  mean(sigmoid(-2 w) 2) = 2 l2 w  for features +1 of one class and -1 of the other.
TEST_F(LogisticRegressionTest, KnownOptimumIsFound) {
  constexpr double kL2 = 0.05;
  double w = 0;
  for (int i = 0; i < 100; ++i) {
    const double sigmoid = 1 / (1 + std::exp(2 * w));
    w -= (kL2 * 2 * w - 2 * sigmoid) / (kL2 * 2 + 4 * sigmoid * (1 - sigmoid));
  }
  LogisticRegression regression(torch::tensor({{1.0, 1.0}, {-1.0, 1.0}}, kFloat64), torch::tensor({0L, 1L}), 2);
  ASSERT_OK(regression.Minimise(kL2, Never));
  EXPECT_NEAR(regression.weights()[0][0].item<double>(), w, 1e-4);
  EXPECT_NEAR(regression.weights()[0][1].item<double>(), -w, 1e-4);
  EXPECT_NEAR(regression.weights()[1][0].item<double>(), 0, 1e-12);
}

TEST_F(LogisticRegressionTest, StopIsAskedEveryIteration) {
  LogisticRegression regression = Make();
  int asked = 0;
  EXPECT_THAT(regression.Minimise(1e-3, [&asked] { return ++asked == 3; }),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("iteration 3")));
}

TEST_F(LogisticRegressionTest, NonFiniteLossIsAnError) {
  features_[2][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Make().Minimise(1, Never), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite")));
}

}  // namespace
}  // namespace graft::train
