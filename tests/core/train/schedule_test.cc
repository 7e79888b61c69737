#include "core/train/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace graft::train {
namespace {

using ::testing::Pointwise;

constexpr double kTolerance = 1e-9;

std::vector<double> Factors(const PhaseOptions& phase, int64_t updates_per_epoch) {
  std::vector<double> factors;
  for (int64_t update = 0; update < updates_per_epoch * phase.epochs; ++update) {
    factors.push_back(LearningRateFactor(phase, update, updates_per_epoch, {}));
  }
  return factors;
}

MATCHER(IsNear, "") {
  return std::abs(std::get<0>(arg) - std::get<1>(arg)) < kTolerance;
}

TEST(LearningRateFactorTest, ConstantStaysAfterItsLinearWarmup) {
  EXPECT_THAT(Factors({.epochs = 3, .warmup_epochs = 1.5}, 2),
              Pointwise(IsNear(), std::vector<double>{0.25, 0.5, 0.75, 1, 1, 1}));
}

TEST(LearningRateFactorTest, CosineFallsFromOneTowardsZeroAfterTheWarmup) {
  EXPECT_THAT(Factors({.epochs = 4, .schedule = Schedule::kCosine}, 1),
              Pointwise(IsNear(), std::vector<double>{1, 0.5 + std::sqrt(0.125), 0.5, 0.5 - std::sqrt(0.125)}));
  const std::vector<double> warmed = Factors({.epochs = 4, .schedule = Schedule::kCosine, .warmup_epochs = 2}, 2);
  EXPECT_THAT(warmed, Pointwise(IsNear(), std::vector<double>{0.2, 0.4, 0.6, 0.8, 1, 0.5 + std::sqrt(0.125), 0.5,
                                                              0.5 - std::sqrt(0.125)}));
}

// torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD([p], 1), max_lr=1, total_steps=10), its rate before each step.
TEST(LearningRateFactorTest, OneCycleIsTorchs) {
  const std::vector<double> torchs = {0.04,
                                      0.52,
                                      1,
                                      0.9504846320134737,
                                      0.8117456539497631,
                                      0.6112620219362893,
                                      0.38874197806371075,
                                      0.18825834605023697,
                                      0.049519367986526286,
                                      4e-06};
  EXPECT_THAT(Factors({.epochs = 5, .schedule = Schedule::kOneCycle}, 2), Pointwise(IsNear(), torchs));
}

TEST(LearningRateFactorTest, StepsDownAfterEachThird) {
  EXPECT_THAT(Factors({.epochs = 6, .schedule = Schedule::kStep}, 1),
              Pointwise(IsNear(), std::vector<double>{1, 1, 0.1, 0.1, 0.01, 0.01}));
}

TEST(LearningRateFactorTest, PlateauUsesTheFactorOfTheLossesSoFar) {
  const PhaseOptions phase{.schedule = Schedule::kPlateau};
  PlateauState state;
  std::vector<double> factors;
  for (const double loss : {1.0, 0.9, 0.90005, 0.8999, 0.95, 0.7, 0.7, 0.7, 0.7}) {
    ObserveLoss(state, loss);
    factors.push_back(LearningRateFactor(phase, 100, 10, state));
  }
  EXPECT_THAT(factors, Pointwise(IsNear(), std::vector<double>{1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01}));
}

}  // namespace
}  // namespace graft::train
