#include "core/workflow/fine_tuning.h"

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace graft::workflow {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

jobs::Phase PhotoPhase(const std::string& trainable, int epochs, int patience) {
  return {.trainable = trainable,
          .optimizer = "sgd",
          .schedule = "plateau",
          .batch_norm = "train",
          .epochs = epochs,
          .patience = patience,
          .batch_size = 16,
          .accumulation = 2,
          .learning_rate = 0.5,
          .layer_decay = 0.75,
          .weight_decay = 0.125,
          .clip_norm = 3,
          .warmup_epochs = 1};
}

jobs::TrainSpec Spec(std::vector<jobs::Phase> phases) {
  return {.device = "cpu",
          .seed = 9,
          .phases = std::move(phases),
          .label_smoothing = 0.1,
          .focal_gamma = 2,
          .mixup_alpha = 0.2,
          .cutmix_alpha = 1,
          .ema_decay = 0.9};
}

TEST(FineTuningTest, FirstPhaseOfTheHeadIsNotOnPhotos) {
  const jobs::Phase head = {.trainable = "head"};
  const jobs::Phase all = PhotoPhase("all", 1, 0), last = PhotoPhase("blocks:3", 1, 0);
  EXPECT_TRUE(BeginsWithHead({}));
  EXPECT_THAT(PhotoPhases({}), IsEmpty());
  EXPECT_TRUE(BeginsWithHead(Spec({head, last})));
  EXPECT_THAT(PhotoPhases(Spec({head, last})), ElementsAre(last));
  EXPECT_FALSE(BeginsWithHead(Spec({last, all})));
  EXPECT_THAT(PhotoPhases(Spec({last, all})), ElementsAre(last, all));
  EXPECT_EQ(TrainedPart({}), "head");
  EXPECT_EQ(TrainedPart(Spec({head})), "head");
  EXPECT_EQ(TrainedPart(Spec({head, last, PhotoPhase("blocks:2", 1, 0)})), "blocks:3");
  EXPECT_EQ(TrainedPart(Spec({head, all, last})), "all");
}

// "all": the trainable parameters that Keras' model.summary() prints with include_top=False. "blocks:1" of MobileNetV2:
// block_16 (473,920) and Conv_1 with its batch norm (412,160).
TEST(FineTuningTest, TrainedParametersAreKerasCount) {
  EXPECT_THAT(TrainedBackboneParameters("mobilenet_v2", "all"), IsOkAndHolds(2'223'872));
  EXPECT_THAT(TrainedBackboneParameters("efficientnet_v2_b0", "all"), IsOkAndHolds(5'858'704));
  EXPECT_THAT(TrainedBackboneParameters("resnet50_v2", "all"), IsOkAndHolds(23'519'360));
  EXPECT_THAT(TrainedBackboneParameters("mobilenet_v2", "blocks:1"), IsOkAndHolds(886'080));
  EXPECT_THAT(TrainedBackboneParameters("mobilenet_v2", "head"), IsOkAndHolds(0));
  // All blocks but the stem: Conv1 (3 x 32 x 9) and its batch norm.
  EXPECT_THAT(TrainedBackboneParameters("mobilenet_v2", "blocks:17"), IsOkAndHolds(2'223'872 - 864 - 64));
}

TEST(FineTuningTest, ClassWeightsAverageToOneOverThePhotos) {
  const std::vector<int> labels = {0, 0, 0, 1, 3, 3, 3, 3};
  EXPECT_THAT(ClassWeights("none", labels, 4), IsEmpty());
  // scikit-learn's photos / (classes that occur x photos of the class); class 2 has none.
  EXPECT_THAT(ClassWeights("balanced", labels, 4),
              ElementsAre(DoubleNear(8.0 / 9, 1e-12), DoubleNear(8.0 / 3, 1e-12), 0, DoubleNear(8.0 / 12, 1e-12)));
  const std::vector<double> effective = ClassWeights("effective", labels, 4);
  EXPECT_NEAR(3 * effective[0] + effective[1] + 4 * effective[3], 8, 1e-12);
  // (1 - 0.999) / (1 - 0.999^3) = 1 / (1 + 0.999 + 0.998001) of class 0 over 1 of class 1.
  EXPECT_NEAR(effective[0] / effective[1], 1 / 2.997001, 1e-12);
}

TEST(FineTuningTest, OptionsAreTheSpecs) {
  const train::FineTuneOptions options =
      FineTuneOptionsOf(Spec({{.trainable = "head"}, PhotoPhase("blocks:3", 7, 2), PhotoPhase("all", 5, 0)}), {1, 2},
                        /*bf16=*/true);
  ASSERT_EQ(options.phases.size(), 2);
  const train::PhaseOptions& first = options.phases[0];
  EXPECT_EQ(first.trainable, train::Trainable::kLastBlocks);
  EXPECT_EQ(first.last_blocks, 3);
  EXPECT_EQ(first.epochs, 7);
  EXPECT_EQ(first.patience, 2);
  EXPECT_EQ(first.optimizer, train::Optimizer::kSgd);
  EXPECT_EQ(first.schedule, train::Schedule::kPlateau);
  EXPECT_EQ(first.batch_norm, train::BatchNormMode::kTrain);
  EXPECT_EQ(first.batch_size, 16);
  EXPECT_EQ(first.accumulation, 2);
  EXPECT_EQ(first.learning_rate, 0.5);
  EXPECT_EQ(first.layer_decay, 0.75);
  EXPECT_EQ(first.weight_decay, 0.125);
  EXPECT_EQ(first.clip_norm, 3);
  EXPECT_EQ(first.warmup_epochs, 1);
  EXPECT_EQ(options.phases[1].trainable, train::Trainable::kAll);
  EXPECT_EQ(options.loss.label_smoothing, 0.1);
  EXPECT_THAT(options.loss.class_weight, ElementsAre(1, 2));
  EXPECT_EQ(options.loss.focal_gamma, 2);
  EXPECT_EQ(options.mixup_alpha, 0.2);
  EXPECT_EQ(options.cutmix_alpha, 1);
  EXPECT_EQ(options.ema_decay, 0.9);
  EXPECT_EQ(options.seed, 9u);
  EXPECT_TRUE(options.bf16);
}

TEST(FineTuningTest, EpochsAreCountedByPhase) {
  PhaseProgress progress({PhotoPhase("blocks:1", 5, 2), PhotoPhase("blocks:2", 2, 0), PhotoPhase("all", 3, 0)});
  const auto count = [&](int phase) {
    progress.Count({.phase = phase});
    return absl::StrCat(progress.phase().trainable, ", ", progress.epochs_left(), " left");
  };
  EXPECT_EQ(count(1), "blocks:1, 9 left");
  EXPECT_EQ(count(1), "blocks:1, 8 left");
  EXPECT_EQ(count(2), "blocks:2, 4 left") << "the first ended early";
  EXPECT_EQ(count(2), "blocks:2, 3 left");
  EXPECT_EQ(count(3), "all, 2 left");
}

}  // namespace
}  // namespace graft::workflow
