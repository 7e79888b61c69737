#include "core/train/head_solver.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/testing/separable_features.h"
#include "tests/testing/status_matchers.h"

namespace graft::train {
namespace {

using ::graft::testing::SeparableFeatures;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kDimension = 24;
constexpr int kClasses = 3;

absl::Status Ignore(const L2Trial&) {
  return absl::OkStatus();
}
bool Never() {
  return false;
}

class HeadSolverTest : public ::testing::Test {
 protected:
  absl::StatusOr<SolvedHead> Solve(const TrialObserver& observer = Ignore, const std::function<bool()>& stop = Never,
                                   const std::function<bool()>& finish = Never) {
    return SolveHead(train_, validation_, options_, observer, stop, finish);
  }
  double LossOn(const LabelledFeatures& features, const Head& head) {
    const auto probabilities = Predict(head, features, "cpu");
    EXPECT_OK(probabilities);
    double loss = 0;
    for (size_t i = 0; i < features.labels.size(); ++i) {
      loss -= std::log((*probabilities)[i * kClasses + features.labels[i]]);
    }
    return loss / static_cast<double>(features.labels.size());
  }

  LabelledFeatures train_ = SeparableFeatures(100, kDimension, kClasses, 1);
  LabelledFeatures validation_ = SeparableFeatures(40, kDimension, kClasses, 2);
  SolverOptions options_{.classes = kClasses};
};

TEST_F(HeadSolverTest, HeadOfPlainFeaturesGivesTheTrialsNumbers) {
  options_.l2 = 0.01;
  ASSERT_OK_AND_ASSIGN(const SolvedHead solved, Solve());
  ASSERT_EQ(solved.trials.size(), 1u);
  EXPECT_EQ(solved.best, 1);
  const L2Trial& trial = solved.trials[0];
  EXPECT_EQ(trial.l2, 0.01);
  EXPECT_TRUE(trial.best);
  EXPECT_EQ(trial.train_accuracy, 1.0);
  EXPECT_EQ(trial.validation_accuracy, 1.0);
  EXPECT_NEAR(LossOn(train_, solved.head), trial.train_loss, 1e-6);
  EXPECT_NEAR(LossOn(validation_, solved.head), trial.validation_loss, 1e-6);
}

TEST_F(HeadSolverTest, StartNearTheOptimumIsQuickAndLeadsToTheSame) {
  for (size_t i = 0; i < train_.labels.size(); ++i) train_.values[i * kDimension + 5] = 3;  // does not vary
  options_.l2 = 0.01;
  ASSERT_OK_AND_ASSIGN(const SolvedHead cold, Solve());
  options_.start = cold.head;
  options_.start->kernel[5 * kClasses] = 1;  // of the one that does not: 3 more for this class
  options_.start->bias[0] -= 3;
  ASSERT_OK_AND_ASSIGN(const SolvedHead warm, Solve());
  EXPECT_LE(warm.trials[0].iterations, cold.trials[0].iterations / 2);
  EXPECT_NEAR(warm.trials[0].validation_loss, cold.trials[0].validation_loss, 1e-5);
  options_.start->classes = kClasses + 1;
  EXPECT_THAT(Solve(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("start")));
}

TEST_F(HeadSolverTest, ScaleAndOffsetOfAFeatureDoNotMatter) {
  options_.l2 = 0.01;
  ASSERT_OK_AND_ASSIGN(const SolvedHead plain, Solve());
  for (LabelledFeatures* features : {&train_, &validation_}) {
    for (size_t i = 0; i < features->labels.size(); ++i) {
      features->values[i * kDimension] = 64 * features->values[i * kDimension] + 16;
    }
  }
  ASSERT_OK_AND_ASSIGN(const SolvedHead scaled, Solve());
  EXPECT_NEAR(scaled.trials[0].validation_loss, plain.trials[0].validation_loss, 1e-5);
  EXPECT_NEAR(scaled.head.kernel[0], plain.head.kernel[0] / 64, 1e-5);
}

TEST_F(HeadSolverTest, FeatureThatDoesNotVaryInTrainingTakesNoPart) {
  for (size_t i = 0; i < train_.labels.size(); ++i) train_.values[i * kDimension + 5] = 0.1f;
  ASSERT_OK_AND_ASSIGN(const SolvedHead solved, Solve());
  for (int label = 0; label < kClasses; ++label) EXPECT_EQ(solved.head.kernel[5 * kClasses + label], 0);
}

TEST_F(HeadSolverTest, GridIsTriedFromStrongToWeakAndTheLowestValidationLossWins) {
  // Noise on the labels, so that a weak penalty learns it by heart.
  std::mt19937 generator(4);
  for (int& label : train_.labels) label = generator() % 4 == 0 ? static_cast<int>(generator() % kClasses) : label;
  std::vector<L2Trial> seen;
  ASSERT_OK_AND_ASSIGN(const SolvedHead solved, Solve([&seen](const L2Trial& trial) {
                         seen.push_back(trial);
                         return absl::OkStatus();
                       }));
  const std::vector<double> grid = L2Grid();
  ASSERT_EQ(seen.size(), solved.trials.size());
  ASSERT_LT(seen.size(), grid.size());  // given up after three that were worse
  EXPECT_EQ(static_cast<int>(seen.size()), solved.best + 3);
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].number, static_cast<int>(i) + 1);
    EXPECT_EQ(seen[i].l2, grid[i]);
    EXPECT_EQ(seen[i].best, seen[i].validation_loss < lowest);
    lowest = std::min(lowest, seen[i].validation_loss);
    if (i > 0) {
      EXPECT_LT(seen[i].train_loss, seen[i - 1].train_loss);
      EXPECT_LT(grid[i], grid[i - 1]);
    }
  }
  EXPECT_EQ(solved.trials[solved.best - 1].validation_loss, lowest);
  EXPECT_NEAR(LossOn(validation_, solved.head), lowest, 1e-6);

  options_.l2 = solved.trials[solved.best - 1].l2;
  ASSERT_OK_AND_ASSIGN(const SolvedHead alone, Solve());  // not from the solution before
  EXPECT_NEAR(alone.trials[0].validation_loss, lowest, 1e-4);
}

TEST_F(HeadSolverTest, SameBytesEveryTimeWhateverTheThreadCount) {
  ASSERT_OK_AND_ASSIGN(const SolvedHead one, Solve());
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  ASSERT_OK_AND_ASSIGN(const SolvedHead two, Solve());
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(threads);
  EXPECT_EQ(SerializeHead(one.head), SerializeHead(two.head));
  EXPECT_EQ(one.best, two.best);
}

TEST_F(HeadSolverTest, StopAndTheObserversErrorEndIt) {
  int asked = 0;
  EXPECT_THAT(Solve(Ignore, [&asked] { return ++asked == 4; }),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("at l2 ")));
  EXPECT_THAT(Solve([](const L2Trial& trial) {
                return trial.number == 2 ? absl::UnavailableError("crash") : absl::OkStatus();
              }),
              StatusIs(absl::StatusCode::kUnavailable, "crash"));
}

TEST_F(HeadSolverTest, FinishingEndsWithTheBestOfTheTrialsThatAreDone) {
  int done = 0;
  const auto count = [&done](const L2Trial&) {
    ++done;
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const SolvedHead whole, Solve());
  EXPECT_FALSE(whole.finished_early);
  ASSERT_OK_AND_ASSIGN(const SolvedHead cut, Solve(count, Never, [&done] { return done != 1; }));
  EXPECT_TRUE(cut.finished_early);
  ASSERT_EQ(cut.trials.size(), 2u);  // not before there is one
  EXPECT_EQ(cut.trials[1].validation_loss, whole.trials[1].validation_loss);
  EXPECT_NEAR(LossOn(validation_, cut.head), cut.trials[cut.best - 1].validation_loss, 1e-6);
}

TEST_F(HeadSolverTest, WhatIsNotFiniteIsNamed) {
  validation_.values[kDimension * 7 + 3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Solve(), StatusIs(absl::StatusCode::kInvalidArgument,
                                AllOf(HasSubstr("validation split"), HasSubstr("image 7"), HasSubstr("not finite"))));
  train_.values[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Solve(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the train split's image 0")));
}

TEST_F(HeadSolverTest, LabelsOutsideTheClassesAndEmptySplitsAreRefused) {
  train_.labels[3] = kClasses;
  EXPECT_THAT(Solve(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("train split has a label")));
  train_.labels[3] = 0;
  validation_ = {.dimension = kDimension};
  EXPECT_THAT(Solve(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("validation split is empty")));
}

}  // namespace
}  // namespace graft::train
