// The head trainer's checks, on cuda:0.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/train/head_solver.h"
#include "core/train/head_trainer.h"
#include "tests/gpu/gpu.h"
#include "tests/testing/separable_features.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

using ::graft::testing::SeparableFeatures;
using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;

constexpr int kClasses = 3;

class GpuTrainTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_GPU(); }

  absl::StatusOr<TrainedHead> Train(
      const std::string& checkpoint,
      const EpochObserver& observer = [](const EpochMetrics&) { return absl::OkStatus(); },
      const std::function<bool()>& stop = [] { return false; }) {
    return TrainHead(train_, validation_, options_, folder_ / checkpoint, 0, observer, stop);
  }

  TemporaryFolder folder_;
  LabelledFeatures train_ = SeparableFeatures(900, 1280, kClasses, 1);
  LabelledFeatures validation_ = SeparableFeatures(200, 1280, kClasses, 2);
  HeadOptions options_{.classes = kClasses, .epochs = 5, .seed = 5, .device = gpu::kDevice};
};

TEST_F(GpuTrainTest, LearnsWhatIsSeparableAsTheCpuDoes) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead on_gpu, Train("gpu"));
  options_.device = "cpu";
  ASSERT_OK_AND_ASSIGN(const TrainedHead on_cpu, Train("cpu"));
  EXPECT_EQ(on_gpu.history.back().validation_accuracy, 1.0);
  // Same initial values and batches; only the order of sums differs.
  for (size_t i = 0; i < on_gpu.history.size(); ++i) {
    EXPECT_NEAR(on_gpu.history[i].train_loss, on_cpu.history[i].train_loss, 1e-4);
  }
  RecordProperty("seconds_per_epoch", std::to_string(on_gpu.history.back().seconds));
}

TEST_F(GpuTrainTest, SolverFindsTheCpusOptimumAndTheSameBytesEachTime) {
  const auto solve = [this](const std::string& device) {
    return SolveHead(
        train_, validation_, {.classes = kClasses, .device = device}, [](const L2Trial&) { return absl::OkStatus(); },
        [] { return false; }, [] { return false; });
  };
  ASSERT_OK_AND_ASSIGN(const SolvedHead on_gpu, solve(gpu::kDevice));
  ASSERT_OK_AND_ASSIGN(const SolvedHead again, solve(gpu::kDevice));
  ASSERT_OK_AND_ASSIGN(const SolvedHead on_cpu, solve("cpu"));
  EXPECT_EQ(SerializeHead(on_gpu.head), SerializeHead(again.head));
  ASSERT_EQ(on_gpu.trials.size(), on_cpu.trials.size());
  for (size_t i = 0; i < on_gpu.trials.size(); ++i) {
    EXPECT_NEAR(on_gpu.trials[i].validation_loss, on_cpu.trials[i].validation_loss, 1e-4);
  }
}

TEST_F(GpuTrainTest, SameSeedSameBytesResumedOrNot) {
  ASSERT_OK_AND_ASSIGN(const TrainedHead undisturbed, Train("undisturbed"));
  for (int epoch = 1; epoch <= options_.epochs; ++epoch) {
    const std::string checkpoint = "crash" + std::to_string(epoch);
    const auto crash = [epoch](const EpochMetrics& metrics) {
      return metrics.epoch == epoch ? absl::UnavailableError("crash") : absl::OkStatus();
    };
    EXPECT_THAT(Train(checkpoint, crash), StatusIs(absl::StatusCode::kUnavailable));
    ASSERT_OK_AND_ASSIGN(const TrainedHead resumed, Train(checkpoint));
    EXPECT_EQ(SerializeHead(resumed.head), SerializeHead(undisturbed.head)) << "after epoch " << epoch;
  }
}

TEST_F(GpuTrainTest, StopsAtAStep) {
  int asked = 0;
  EXPECT_THAT(Train(
                  "a", [](const EpochMetrics&) { return absl::OkStatus(); }, [&asked] { return ++asked == 40; }),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(asked, 40);
}

TEST_F(GpuTrainTest, NonFiniteLossNamesEpochAndStep) {
  train_.values[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Train("a"), StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("epoch 1, step ")));
}

}  // namespace
}  // namespace graft::train
