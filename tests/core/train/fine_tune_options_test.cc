#include "core/train/fine_tune_options.h"

#include <functional>
#include <limits>

#include "tests/testing/made_photos.h"
#include "tests/testing/status_matchers.h"

namespace graft::train {
namespace {

using ::graft::testing::MadePhotos;
using ::graft::testing::StatusIs;
using ::testing::HasSubstr;

constexpr int kFeatures = 1280, kClasses = 3;

class FineTuneOptionsTest : public ::testing::Test {
 protected:
  // What is said of options and inputs that `change` has spoilt.
  absl::Status Check(const std::function<void(PhaseOptions&)>& change) {
    FineTuneOptions options = options_;
    change(options.phases[1]);
    return CheckFineTuning(inputs_, options);
  }
  void ExpectRefused(const char* message, const std::function<void(PhaseOptions&)>& change) {
    EXPECT_THAT(Check(change), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
  }

  MadePhotos train_{6, 32, 1}, validation_{3, 32, 2};
  FineTuneInputs inputs_{.backbone = "mobilenet_v2",
                         .head = {.dimension = kFeatures,
                                  .classes = kClasses,
                                  .kernel = std::vector<float>(kFeatures * kClasses),
                                  .bias = std::vector<float>(kClasses)},
                         .train = &train_,
                         .validation = &validation_};
  FineTuneOptions options_{.phases = {{}, {.trainable = Trainable::kLastBlocks, .last_blocks = 17}}};
};

TEST_F(FineTuneOptionsTest, TheDefaultsAreFine) {
  EXPECT_OK(CheckFineTuning(inputs_, options_));
}

TEST_F(FineTuneOptionsTest, PhasesOutsideTheirRangesAreRefusedByName) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  ExpectRefused("phases[1].last_blocks must be 1 to 17", [](PhaseOptions& phase) { phase.last_blocks = 18; });
  ExpectRefused("phases[1].last_blocks must be 1 to 17", [](PhaseOptions& phase) { phase.last_blocks = 0; });
  ExpectRefused("phases[1].epochs", [](PhaseOptions& phase) { phase.epochs = 0; });
  ExpectRefused("phases[1].patience", [](PhaseOptions& phase) { phase.patience = -1; });
  ExpectRefused("phases[1].learning_rate", [](PhaseOptions& phase) { phase.learning_rate = 0; });
  ExpectRefused("phases[1].learning_rate", [](PhaseOptions& phase) { phase.learning_rate = kNan; });
  ExpectRefused("phases[1].layer_decay", [](PhaseOptions& phase) { phase.layer_decay = 1.5; });
  ExpectRefused("phases[1].weight_decay", [](PhaseOptions& phase) { phase.weight_decay = -1; });
  ExpectRefused("use adamw", [](PhaseOptions& phase) {
    phase.optimizer = Optimizer::kAdam;
    phase.weight_decay = 0.1;
  });
  ExpectRefused("phases[1].clip_norm", [](PhaseOptions& phase) { phase.clip_norm = kNan; });
  ExpectRefused("phases[1].warmup_epochs", [](PhaseOptions& phase) { phase.warmup_epochs = 11; });
  ExpectRefused("0 with one-cycle", [](PhaseOptions& phase) {
    phase.schedule = Schedule::kOneCycle;
    phase.warmup_epochs = 1;
  });
  ExpectRefused("phases[1].batch_size", [](PhaseOptions& phase) { phase.batch_size = 0; });
  ExpectRefused("phases[1].accumulation", [](PhaseOptions& phase) { phase.accumulation = 33; });
}

TEST_F(FineTuneOptionsTest, LossesOutsideTheirRangesAreRefusedByName) {
  const auto expect_refused = [this](const char* field, const std::function<void(FineTuneOptions&)>& change) {
    FineTuneOptions options = options_;
    change(options);
    EXPECT_THAT(CheckFineTuning(inputs_, options), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
  };
  expect_refused("phases must be at least one", [](FineTuneOptions& options) { options.phases.clear(); });
  expect_refused("label_smoothing", [](FineTuneOptions& options) { options.loss.label_smoothing = 1; });
  expect_refused("class_weight must be empty or 3", [](FineTuneOptions& options) { options.loss.class_weight = {1}; });
  expect_refused("class_weight", [](FineTuneOptions& options) { options.loss.class_weight = {1, -1, 1}; });
  expect_refused("focal_gamma", [](FineTuneOptions& options) { options.loss.focal_gamma = -0.1; });
  expect_refused("distillation_weight", [](FineTuneOptions& options) { options.loss.distillation_weight = 0.5; });
  expect_refused("temperature", [](FineTuneOptions& options) { options.loss.distillation_temperature = 0; });
  expect_refused("mixup_alpha", [](FineTuneOptions& options) { options.mixup_alpha = -1; });
  expect_refused("cutmix_alpha", [](FineTuneOptions& options) { options.cutmix_alpha = -1; });
  expect_refused("ema_decay", [](FineTuneOptions& options) { options.ema_decay = 1; });
}

TEST_F(FineTuneOptionsTest, InputsThatDoNotFitAreRefused) {
  const auto refuses = [this](const char* message) {
    return ::testing::Matches(StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)))(
        CheckFineTuning(inputs_, options_));
  };
  inputs_.teacher = {1, 0, 0};
  EXPECT_TRUE(refuses("teacher must be empty or 18"));
  inputs_.teacher.clear();
  inputs_.head.dimension = 1000;
  EXPECT_TRUE(refuses("head must be of 1280 features"));
  inputs_.head.dimension = kFeatures;
  inputs_.backbone = "alexnet";
  EXPECT_TRUE(refuses("alexnet"));
  inputs_.backbone = "mobilenet_v2";
  MadePhotos none(0, 32, 1);
  inputs_.train = &none;
  EXPECT_TRUE(refuses("the train split"));
}

}  // namespace
}  // namespace graft::train
