#include "core/train/head_trainer.h"

#include <torch/torch.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <thread>

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

absl::Status Ignore(const EpochMetrics&) {
  return absl::OkStatus();
}
bool Never() {
  return false;
}

class HeadTrainerTest : public ::testing::Test {
 protected:
  absl::StatusOr<TrainedHead> Train(const std::string& checkpoint, int observed_epochs = 0,
                                    const EpochObserver& observer = Ignore, const std::function<bool()>& stop = Never) {
    return TrainHead(train_, validation_, options_, folder_ / checkpoint, observed_epochs, observer, stop);
  }

  // A run that ends, as in a crash, right after epoch `epoch` has been reported.
  void TrainUntil(const std::string& checkpoint, int epoch) {
    const auto crash = [epoch](const EpochMetrics& metrics) {
      return metrics.epoch == epoch ? absl::UnavailableError("crash") : absl::OkStatus();
    };
    EXPECT_THAT(Train(checkpoint, 0, crash), StatusIs(absl::StatusCode::kUnavailable, "crash"));
  }

  TemporaryFolder folder_;
  LabelledFeatures train_ = SeparableFeatures(100, kDimension, kClasses, 1);
  LabelledFeatures validation_ = SeparableFeatures(40, kDimension, kClasses, 2);
  HeadOptions options_{.classes = kClasses, .epochs = 6, .batch_size = 32, .learning_rate = 0.01, .seed = 5};
};

TEST_F(HeadTrainerTest, LearnsWhatIsSeparable) {
  options_.epochs = 20;
  ASSERT_OK_AND_ASSIGN(const TrainedHead trained, Train("a"));
  EXPECT_EQ(trained.history.size(), 20u);
  EXPECT_EQ(trained.best_epoch, 20);
  EXPECT_EQ(trained.history.back().validation_accuracy, 1.0);
  EXPECT_LT(trained.history.back().train_loss, 0.5 * trained.history.front().train_loss);
  EXPECT_GT(trained.history.back().images_per_second, 0);
}

TEST_F(HeadTrainerTest, SameSeedSameBytesWhateverTheThreadCount) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead one, Train("a"));
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  ASSERT_OK_AND_ASSIGN(const TrainedHead two, Train("b"));
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(threads);
  EXPECT_EQ(SerializeHead(one.head), SerializeHead(two.head));
  options_.seed = 6;
  ASSERT_OK_AND_ASSIGN(const TrainedHead other, Train("c"));
  EXPECT_NE(SerializeHead(one.head), SerializeHead(other.head));
}

// `more` below `features`, as their next view.
LabelledFeatures WithView(LabelledFeatures features, const LabelledFeatures& more) {
  features.values.insert(features.values.end(), more.values.begin(), more.values.end());
  features.labels.insert(features.labels.end(), more.labels.begin(), more.labels.end());
  ++features.views;
  return features;
}

TEST_F(HeadTrainerTest, TwoViewsThatAreTheSameTrainAsOne) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead one, Train("one"));
  train_ = WithView(train_, train_);
  ASSERT_OK_AND_ASSIGN(const TrainedHead two, Train("two"));
  EXPECT_EQ(SerializeHead(one.head), SerializeHead(two.head));
  EXPECT_EQ(one.history.back().train_accuracy, two.history.back().train_accuracy);
}

TEST_F(HeadTrainerTest, EveryViewIsLearnedFrom) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead one, Train("one"));
  train_ = WithView(train_, SeparableFeatures(100, kDimension, kClasses, 9));
  ASSERT_OK_AND_ASSIGN(const TrainedHead two, Train("two"));
  EXPECT_NE(SerializeHead(one.head), SerializeHead(two.head));
  train_.values[kDimension * 150] = std::numeric_limits<float>::quiet_NaN();  // view 1 of image 50
  EXPECT_THAT(Train("nan"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite in epoch")));
}

TEST_F(HeadTrainerTest, RefusesRowsThatAreNoWholeViews) {
  train_.views = 3;  // of 100 rows
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("100 rows are not 3 views")));
}

TEST_F(HeadTrainerTest, ResumedAfterAnyEpochEndsWithTheSameBytes) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead undisturbed, Train("undisturbed"));
  for (int epoch = 1; epoch <= options_.epochs; ++epoch) {
    const std::string checkpoint = "crash" + std::to_string(epoch);
    TrainUntil(checkpoint, epoch);
    std::vector<int> seen;
    const auto note = [&seen](const EpochMetrics& metrics) {
      seen.push_back(metrics.epoch);
      return absl::OkStatus();
    };
    ASSERT_OK_AND_ASSIGN(const TrainedHead resumed, Train(checkpoint, epoch, note));
    EXPECT_EQ(SerializeHead(resumed.head), SerializeHead(undisturbed.head)) << "after epoch " << epoch;
    EXPECT_EQ(resumed.history.size(), undisturbed.history.size());
    for (size_t i = 0; i < resumed.history.size(); ++i) {
      EXPECT_EQ(resumed.history[i].train_loss, undisturbed.history[i].train_loss);
      EXPECT_EQ(resumed.history[i].validation_loss, undisturbed.history[i].validation_loss);
    }
    ASSERT_EQ(seen.size(), static_cast<size_t>(options_.epochs - epoch));
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], epoch + 1 + static_cast<int>(i));
  }
}

TEST_F(HeadTrainerTest, ObserverSeesCheckpointedEpochsItHasNotSeen) {
  TrainUntil("a", 4);
  std::vector<int> seen;
  const auto note = [&seen](const EpochMetrics& metrics) {
    seen.push_back(metrics.epoch);
    return absl::OkStatus();
  };
  ASSERT_OK(Train("a", 3, note));
  EXPECT_THAT(seen, ::testing::ElementsAre(4, 5, 6));
}

TEST_F(HeadTrainerTest, StartsFromTheHeadGiven) {
  options_.epochs = 10;
  ASSERT_OK_AND_ASSIGN(const TrainedHead first, Train("a"));
  options_.epochs = 1;
  options_.start = first.head;
  ASSERT_OK_AND_ASSIGN(const TrainedHead second, Train("b"));
  EXPECT_LT(second.history[0].validation_loss, first.history.back().validation_loss);
  options_.start->kernel[0] += 1;
  ASSERT_OK_AND_ASSIGN(const TrainedHead other, Train("b"));
  EXPECT_NE(SerializeHead(other.head), SerializeHead(second.head)) << "the checkpoint is of another start";
  options_.start->classes = 2;
  EXPECT_THAT(Train("c"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(HeadTrainerTest, CheckpointOfOtherInputsIsNotUsed) {
  TrainUntil("a", 3);
  options_.learning_rate = 0.02;
  ASSERT_OK_AND_ASSIGN(const TrainedHead fresh, Train("b"));
  ASSERT_OK_AND_ASSIGN(const TrainedHead beside_another, Train("a"));
  EXPECT_EQ(SerializeHead(fresh.head), SerializeHead(beside_another.head));
}

TEST_F(HeadTrainerTest, StopsEarlyAndRestoresTheBestEpoch) {
  // Labels of the validation split are shifted: the better the head learns, the worse it looks there.
  for (int& label : validation_.labels) label = (label + 1) % kClasses;
  options_.epochs = 50;
  options_.patience = 2;
  ASSERT_OK_AND_ASSIGN(const TrainedHead stopped, Train("a"));
  ASSERT_EQ(static_cast<int>(stopped.history.size()), stopped.best_epoch + 2);
  EXPECT_TRUE(stopped.history[stopped.best_epoch - 1].best);
  EXPECT_FALSE(stopped.history.back().best);

  options_.epochs = stopped.best_epoch;
  ASSERT_OK_AND_ASSIGN(const TrainedHead until_best, Train("b"));
  EXPECT_EQ(SerializeHead(stopped.head), SerializeHead(until_best.head));
}

TEST_F(HeadTrainerTest, NonFiniteFeaturesAreNamedByEpochAndStep) {
  train_.values[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("epoch 1, step ")));
}

TEST_F(HeadTrainerTest, NonFiniteValidationFeaturesAreAnError) {
  validation_.values[17] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("validation loss")));
}

TEST_F(HeadTrainerTest, LabelsOutsideTheClassesAndEmptySplitsAreRefused) {
  train_.labels[3] = kClasses;
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("train split has a label")));
  train_.labels[3] = 0;
  validation_ = {.dimension = kDimension};
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("validation split is empty")));
}

TEST_F(HeadTrainerTest, BestSoFarIsThatOfTheCheckpoint) {
  const auto best_so_far = [this](const std::string& checkpoint) {
    return BestHeadSoFar(train_, validation_, options_, folder_ / checkpoint);
  };
  EXPECT_THAT(best_so_far("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  TrainUntil("a", 3);
  ASSERT_OK_AND_ASSIGN(const TrainedHead best, best_so_far("a"));
  EXPECT_EQ(best.history.size(), 3u);
  options_.learning_rate = 0.02;
  EXPECT_THAT(best_so_far("a"), StatusIs(absl::StatusCode::kFailedPrecondition));  // another run's
  options_.learning_rate = 0.01;
  options_.epochs = best.best_epoch;
  ASSERT_OK_AND_ASSIGN(const TrainedHead until_best, Train("b"));
  EXPECT_EQ(SerializeHead(best.head), SerializeHead(until_best.head));
}

TEST_F(HeadTrainerTest, StopIsAskedEveryStep) {
  int asked = 0;
  const auto stop_at_step_6 = [&asked] { return ++asked == 6; };  // 4 steps an epoch
  EXPECT_THAT(Train("a", 0, Ignore, stop_at_step_6), StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 2")));
  ASSERT_OK_AND_ASSIGN(const TrainedHead resumed, Train("a"));
  ASSERT_OK_AND_ASSIGN(const TrainedHead undisturbed, Train("b"));
  EXPECT_EQ(SerializeHead(resumed.head), SerializeHead(undisturbed.head));
}

TEST_F(HeadTrainerTest, PredictGivesTheValidationNumbers) {
  options_.epochs = 3;
  ASSERT_OK_AND_ASSIGN(const TrainedHead trained, Train("a"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> probabilities, Predict(trained.head, validation_, "cpu"));
  ASSERT_EQ(probabilities.size(), validation_.labels.size() * kClasses);
  double loss = 0;
  for (size_t i = 0; i < validation_.labels.size(); ++i) {
    loss -= std::log(probabilities[i * kClasses + validation_.labels[i]]);
  }
  EXPECT_NEAR(loss / static_cast<double>(validation_.labels.size()),
              trained.history[trained.best_epoch - 1].validation_loss, 1e-6);
}

// In a process of its own: the settings stay.
TEST(ConfigureThreadsDeathTest, DenormalNumbersAreZeroInEveryThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto sum_of_tiny = [] {  // large enough for every thread to have a part
    return (torch::full({1 << 20}, 1e-38F) * 0.01F).mul_(1e20F).sum().item<float>();
  };
  const auto zero_everywhere = [&] {
    ConfigureThreads(4);
    float elsewhere = 1;
    std::thread([&] { elsewhere = sum_of_tiny(); }).join();
    return at::get_num_threads() == 4 && sum_of_tiny() == 0 && elsewhere == 0;
  };
  EXPECT_EXIT(std::exit(zero_everywhere() ? 0 : 1), ::testing::ExitedWithCode(0), "");
  EXPECT_GT(sum_of_tiny(), 0);
}

}  // namespace
}  // namespace graft::train
