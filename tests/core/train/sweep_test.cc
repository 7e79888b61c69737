#include "core/train/sweep.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/train/divergence.h"
#include "tests/testing/separable_features.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

using ::graft::testing::SeparableFeatures;
using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr int kDimension = 24;
constexpr int kClasses = 3;

bool Never() {
  return false;
}

class SweepTest : public ::testing::Test {
 protected:
  absl::StatusOr<SweptHead> Run(const std::vector<SweepCandidate>& candidates,
                                const std::function<bool()>& stop = Never,
                                const std::function<bool()>& finish = Never) {
    const auto ignore = [](const SweepTrial&) { return absl::OkStatus(); };
    return Sweep(train_, validation_, options_, candidates, ignore, stop, finish);
  }
  static std::vector<SweepCandidate> Rates(int count) {
    std::vector<SweepCandidate> candidates;
    for (int i = 0; i < count; ++i) candidates.push_back({.learning_rate = 1e-4 * std::pow(1000, i / (count - 1.0))});
    return candidates;
  }
  void ExpectAsAlone(const SweptHead& swept, const SweepTrial& trial) {
    HeadOptions alone = options_;
    alone.learning_rate = trial.candidate.learning_rate;
    alone.weight_decay = trial.candidate.weight_decay;
    const auto ignore = [](const EpochMetrics&) { return absl::OkStatus(); };
    ASSERT_OK_AND_ASSIGN(
        const TrainedHead trained,
        TrainHead(train_, validation_, alone, folder_ / std::to_string(trial.number), 0, ignore, Never));
    EXPECT_EQ(trial.epochs, static_cast<int>(trained.history.size()));
    EXPECT_NEAR(trial.validation_loss, trained.validation_loss, 1e-5);
    EXPECT_EQ(trial.validation_accuracy, trained.validation_accuracy);
    EXPECT_NEAR(trial.train_loss, trained.history[trained.best_epoch - 1].train_loss, 1e-5);
    EXPECT_NEAR(trial.train_accuracy, trained.history[trained.best_epoch - 1].train_accuracy, 1e-9);
    if (trial.number != swept.best) return;
    for (size_t i = 0; i < swept.head.kernel.size(); ++i) {
      EXPECT_NEAR(swept.head.kernel[i], trained.head.kernel[i], 1e-4);
    }
  }

  TemporaryFolder folder_;
  LabelledFeatures train_ = SeparableFeatures(100, kDimension, kClasses, 1);
  LabelledFeatures validation_ = SeparableFeatures(40, kDimension, kClasses, 2);
  HeadOptions options_{.classes = kClasses, .epochs = 16, .seed = 5};
  const std::vector<SweepCandidate> few_ = {{.learning_rate = 0.001},
                                            {.learning_rate = 0.01},
                                            {.learning_rate = 0.01, .weight_decay = 0.5},
                                            {.learning_rate = 5}};  // soon stops for want of patience
};

TEST_F(SweepTest, EachCandidateIsTrainedAsItWouldBeAlone) {
  ASSERT_OK_AND_ASSIGN(const SweptHead swept, Run(few_));
  ASSERT_EQ(swept.trials.size(), few_.size());
  for (const SweepTrial& trial : swept.trials) {
    SCOPED_TRACE(trial.number);
    ExpectAsAlone(swept, trial);
  }
  EXPECT_LT(swept.trials[0].epochs, options_.epochs);
  EXPECT_FALSE(swept.finished_early);
}

TEST_F(SweepTest, ViewsAndTheHeadToStartFromAreTheSameForAll) {
  const LabelledFeatures more = SeparableFeatures(100, kDimension, kClasses, 3);
  train_.values.insert(train_.values.end(), more.values.begin(), more.values.end());
  train_.labels.insert(train_.labels.end(), more.labels.begin(), more.labels.end());
  train_.views = 2;
  options_.start = InitialHead(99, kDimension, kClasses);
  ASSERT_OK_AND_ASSIGN(const SweptHead swept, Run({few_[0], few_[1]}));
  for (const SweepTrial& trial : swept.trials) ExpectAsAlone(swept, trial);
  options_.start = InitialHead(99, kDimension, kClasses + 1);
  EXPECT_THAT(Run(few_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("start")));
}

TEST_F(SweepTest, BetterQuarterGoesOnAndTheLowestLossWins) {
  ASSERT_OK_AND_ASSIGN(const SweptHead swept, Run(Rates(64)));
  ASSERT_EQ(swept.trials.size(), 64u);
  std::map<int, int> ended;
  double lowest = std::numeric_limits<double>::infinity();
  for (const SweepTrial& trial : swept.trials) {
    ++ended[trial.epochs];
    lowest = std::min(lowest, trial.validation_loss);
  }
  EXPECT_EQ(ended[1], 48);  // 16 of 64 go on after one epoch of 16, 4 after four
  EXPECT_EQ(ended[4], 12);
  const auto best = std::find_if(swept.trials.begin(), swept.trials.end(),
                                 [&](const SweepTrial& trial) { return trial.number == swept.best; });
  ASSERT_NE(best, swept.trials.end());
  EXPECT_EQ(best->validation_loss, lowest);
}

TEST_F(SweepTest, DivergedCandidateEndsAndTheOthersDoNotNotice) {
  ASSERT_OK_AND_ASSIGN(const SweptHead alone, Run({{.learning_rate = 0.01}}));
  ASSERT_OK_AND_ASSIGN(const SweptHead beside, Run({{.learning_rate = 1e38}, {.learning_rate = 0.01}}));
  EXPECT_EQ(beside.best, 2);
  EXPECT_EQ(beside.trials[0].epochs, 1);
  EXPECT_NEAR(beside.trials[1].validation_loss, alone.trials[0].validation_loss, 1e-6);
}

TEST_F(SweepTest, SameBytesEveryTime) {
  ASSERT_OK_AND_ASSIGN(const SweptHead one, Run(Rates(16)));
  ASSERT_OK_AND_ASSIGN(const SweptHead two, Run(Rates(16)));
  EXPECT_EQ(SerializeHead(one.head), SerializeHead(two.head));
}

TEST_F(SweepTest, SameBytesWithAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  ASSERT_OK_AND_ASSIGN(const SweptHead one, Run(Rates(17)));
  at::set_num_threads(2);
  ASSERT_OK_AND_ASSIGN(const SweptHead two, Run(Rates(17)));
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(threads);
  EXPECT_EQ(SerializeHead(one.head), SerializeHead(two.head));
}

TEST_F(SweepTest, StopIsAskedEveryStep) {
  int asked = 0;
  EXPECT_THAT(Run(Rates(8), [&asked] { return ++asked == 6; }),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 2")));
}

TEST_F(SweepTest, FinishedEarlyAllEndWithTheirBestEpochSoFar) {
  int steps = 0;
  const auto stop = [&steps] { return ++steps < 0; };
  ASSERT_OK_AND_ASSIGN(const SweptHead swept, Run(Rates(4), stop, [&] { return steps >= 10; }));  // 4 are an epoch
  EXPECT_TRUE(swept.finished_early);
  ASSERT_EQ(swept.trials.size(), 4u);
  for (const SweepTrial& trial : swept.trials) EXPECT_EQ(trial.epochs, 2);
  options_.epochs = 2;
  ASSERT_OK_AND_ASSIGN(const SweptHead two, Run(Rates(4)));
  EXPECT_EQ(SerializeHead(two.head), SerializeHead(swept.head));

  ASSERT_OK_AND_ASSIGN(const SweptHead at_once, Run(Rates(4), Never, [] { return true; }));
  EXPECT_EQ(at_once.trials[0].epochs, 1);  // there is no best one before
}

TEST_F(SweepTest, NothingFiniteIsADivergence) {
  train_.values[17] = std::numeric_limits<float>::quiet_NaN();
  const absl::Status status = Run(Rates(8)).status();
  EXPECT_TRUE(IsDiverged(status)) << status;
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("8 candidates")));
  EXPECT_THAT(Run({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no candidate")));
}

}  // namespace
}  // namespace graft::train
