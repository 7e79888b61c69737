#include "core/train/fine_tuner.h"

#include <torch/torch.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <random>

#include "core/evaluate/metrics.h"
#include "core/network/architecture.h"
#include "core/network/expected_tensors.h"
#include "core/train/head_tensors.h"
#include "core/train/random_order.h"
#include "core/train/trainable_network.h"
#include "tests/testing/made_photos.h"
#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

using ::graft::testing::MadePhotos;
using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kClasses = 3, kSize = 32;

absl::Status Ignore(const EpochMetrics&) {
  return absl::OkStatus();
}
bool Never() {
  return false;
}

// Says yes at its `n`th question, from 1.
std::function<bool()> StopAt(int n) {
  return [n, asked = 0]() mutable { return ++asked == n; };
}

Head RandomHead(const std::string& backbone) {
  const network::Architecture architecture = network::FindArchitecture(backbone).value();
  const int dimension = architecture.layers[static_cast<size_t>(architecture.features)].channels;
  return {.dimension = dimension,
          .classes = kClasses,
          .kernel = GlorotUniform(1, dimension, kClasses),
          .bias = std::vector<float>(kClasses)};
}

// Of all of the source's photos: [images, classes].
torch::Tensor Logits(TrainableNetwork& network, MadePhotos& source, bool bf16) {
  std::vector<int64_t> order(static_cast<size_t>(source.images()));
  std::iota(order.begin(), order.end(), 0);
  EXPECT_OK(source.StartEpoch(1, order, source.images(), 0));
  const ImageBatch batch = *source.Next().value();
  const torch::Tensor images =
      torch::from_blob(const_cast<uint8_t*>(batch.images.data()), {batch.count, kSize, kSize, 3}, torch::kUInt8);
  const torch::NoGradGuard no_grad;
  return network.RunTrained(network.RunFrozen(network.Normalize(images), bf16), bf16, /*training=*/false);
}

class FineTunerTest : public ::testing::Test {
 protected:
  explicit FineTunerTest(const std::string& backbone = "mobilenet_v2") {
    const auto shapes = network::ExpectedTensors(network::FindArchitecture(backbone).value());
    bytes_ = testing::SerializeFloats(shapes, testing::RandomValues(shapes));
    weights_.emplace(weights::Safetensors::Parse(bytes_).value());
    inputs_ = {.backbone = backbone,
               .weights = &*weights_,
               .head = RandomHead(backbone),
               .train = &train_,
               .validation = &validation_,
               .data_digest = "made"};
  }

  absl::StatusOr<FineTuned> Run(const std::string& checkpoint, const std::function<bool()>& stop = Never,
                                const EpochObserver& observer = Ignore, int observed_epochs = 0) {
    return FineTune(inputs_, options_, folder_ / checkpoint, observed_epochs, observer, stop);
  }
  std::string DigestOfRun(const std::string& checkpoint) {
    const absl::StatusOr<FineTuned> tuned = Run(checkpoint);
    EXPECT_OK(tuned);
    return tuned.ok() ? DigestOf(*tuned) : "";
  }

  // Stops at every question of the run in turn, and goes on with another such run until it ends.
  void ExpectSameAfterStops(const std::string& undisturbed, int every) {
    for (int first = 1; first <= every; ++first) {
      const std::string checkpoint = "stopped" + std::to_string(first);
      absl::StatusOr<FineTuned> tuned = Run(checkpoint, StopAt(first));
      int stops = 0;
      while (absl::IsCancelled(tuned.status())) {
        ++stops;
        tuned = Run(checkpoint, StopAt(every));
      }
      ASSERT_OK(tuned);
      EXPECT_GT(stops, 0);
      EXPECT_EQ(DigestOf(*tuned), undisturbed) << "first stopped at question " << first;
    }
  }

  TemporaryFolder folder_;
  std::string bytes_;
  std::optional<weights::Safetensors> weights_;
  MadePhotos train_{10, kSize, 1}, validation_{6, kSize, 2};
  FineTuneInputs inputs_;
  FineTuneOptions options_{.phases = {{.epochs = 2, .batch_size = 4}}, .seed = 5};
};

TEST_F(FineTunerTest, LearnsWhatIsSeparable) {
  constexpr int kHeadEpochs = 20;
  options_.phases = {{.epochs = kHeadEpochs, .learning_rate = 1e-2, .batch_size = 4},
                     {.trainable = Trainable::kAll, .epochs = 3, .learning_rate = 1e-6, .batch_size = 4}};
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  ASSERT_EQ(tuned.history.size(), kHeadEpochs + 3u);
  // Ten photos say too little for new ones on random weights, but a head of 1,280 features separates them.
  const EpochMetrics& last = tuned.history[kHeadEpochs - 1];
  EXPECT_EQ(last.train_accuracy, 1);
  EXPECT_LT(last.train_loss, 0.1 * tuned.history[0].train_loss);
  EXPECT_LT(tuned.history[tuned.best_epoch - 1].validation_loss, 0.5 * tuned.history[0].validation_loss);
  for (size_t i = 0; i < tuned.history.size(); ++i) {
    EXPECT_EQ(tuned.history[i].epoch, static_cast<int>(i) + 1);
    EXPECT_EQ(tuned.history[i].phase, static_cast<int>(i) < kHeadEpochs ? 1 : 2);
    EXPECT_GT(tuned.history[i].images_per_second, 0);
  }
}

TEST_F(FineTunerTest, LastBlocksChangeAloneAndKeepTheirStatistics) {
  options_.phases[0].trainable = Trainable::kLastBlocks;
  options_.phases[0].last_blocks = 2;
  ASSERT_OK_AND_ASSIGN(FineTuned tuned, Run("a"));
  ASSERT_OK_AND_ASSIGN(const auto after, weights::Safetensors::Parse(tuned.backbone_safetensors));
  for (const auto& [name, before] : weights_->tensors()) {
    const bool trained = name.starts_with("block_15_") || name.starts_with("block_16_") || name.starts_with("Conv_1");
    const bool statistics = name.find("/moving_") != std::string::npos;
    EXPECT_EQ(after.tensors().at(name).data == before.data, !trained || statistics) << name;
  }
}

TEST_F(FineTunerTest, StatisticsOfTrainedBlocksMoveWhereBatchNormTrains) {
  options_.phases[0].trainable = Trainable::kLastBlocks;
  options_.phases[0].last_blocks = 1;
  options_.phases[0].batch_norm = BatchNormMode::kTrain;
  ASSERT_OK_AND_ASSIGN(FineTuned tuned, Run("a"));
  ASSERT_OK_AND_ASSIGN(const auto after, weights::Safetensors::Parse(tuned.backbone_safetensors));
  for (const auto& [name, before] : weights_->tensors()) {
    const bool trained = name.starts_with("block_16_") || name.starts_with("Conv_1");
    EXPECT_EQ(after.tensors().at(name).data == before.data, !trained) << name;
  }
}

// What serving will compute from the files is what the history says.
TEST_F(FineTunerTest, ResultIsWhatWasValidated) {
  options_.phases[0].trainable = Trainable::kAll;
  options_.phases[0].batch_norm = BatchNormMode::kTrain;
  options_.ema_decay = 0.9;
  ASSERT_OK_AND_ASSIGN(FineTuned tuned, Run("a"));
  ASSERT_OK_AND_ASSIGN(const auto weights, weights::Safetensors::Parse(tuned.backbone_safetensors));
  ASSERT_OK_AND_ASSIGN(const auto network, TrainableNetwork::Create("mobilenet_v2", weights, tuned.head, "cpu"));
  std::vector<float> probabilities = ToVector(Logits(*network, validation_, /*bf16=*/false));
  evaluate::Softmax(absl::MakeSpan(probabilities), kClasses);
  const evaluate::Metrics metrics = evaluate::Evaluate(probabilities, validation_.labels, kClasses);
  EXPECT_NEAR(metrics.loss, tuned.history[tuned.best_epoch - 1].validation_loss, 1e-5);
}

TEST_F(FineTunerTest, AccumulatedPassesAreTheWholeBatch) {
  options_.phases = {{.trainable = Trainable::kAll, .epochs = 1, .optimizer = Optimizer::kSgd, .batch_size = 7}};
  ASSERT_OK_AND_ASSIGN(const FineTuned whole, Run("whole"));
  for (const int accumulation : {2, 3, 7}) {  // passes of 4 + 3, 3 + 3 + 1 and single images; the last update has 3
    options_.phases[0].accumulation = accumulation;
    ASSERT_OK_AND_ASSIGN(const FineTuned parts, Run("parts" + std::to_string(accumulation)));
    EXPECT_NEAR(parts.history[0].train_loss, whole.history[0].train_loss, 1e-4);
    EXPECT_NEAR(parts.history[0].validation_loss, whole.history[0].validation_loss, 1e-4);
    for (size_t i = 0; i < whole.head.kernel.size(); ++i) {
      ASSERT_NEAR(parts.head.kernel[i], whole.head.kernel[i], 1e-4) << accumulation;
    }
  }
}

TEST_F(FineTunerTest, FrozenLayersSeeAnImageOnceAPhaseWhereverItsActivationsAreKept) {
  options_.phases = {{.trainable = Trainable::kLastBlocks, .last_blocks = 1, .epochs = 3, .batch_size = 4},
                     {.trainable = Trainable::kLastBlocks, .last_blocks = 2, .epochs = 1, .batch_size = 4}};
  const std::string kept = DigestOfRun("kept");
  EXPECT_EQ(train_.images_given, 2 * 10);
  EXPECT_EQ(validation_.images_given, 2 * 6);

  train_.images_given = validation_.images_given = 0;
  options_.activation_memory_bytes = options_.activation_disk_bytes = 3 * 160 * 4;  // three images' each
  EXPECT_EQ(DigestOfRun("partly"), kept);
  EXPECT_EQ(train_.images_given, 10 + 4 + 4 + 10);

  train_.images_given = validation_.images_given = 0;
  options_.activation_memory_bytes = options_.activation_disk_bytes = 0;
  EXPECT_EQ(DigestOfRun("not"), kept);
  EXPECT_EQ(train_.images_given, 4 * 10);
  EXPECT_EQ(validation_.images_given, 4 * 6);
}

TEST_F(FineTunerTest, StudentFollowsItsTeacherNotTheLabels) {
  inputs_.teacher.resize(static_cast<size_t>(train_.images()) * kClasses, 0.02F);
  for (int image = 0; image < train_.images(); ++image) {
    inputs_.teacher[static_cast<size_t>(image * kClasses + image % kClasses)] = 0.96F;
    train_.labels[static_cast<size_t>(image)] = (image + 1) % kClasses;  // wrong
  }
  options_.phases = {{.epochs = 20, .learning_rate = 1e-2, .batch_size = 4}};
  options_.loss.distillation_weight = 1;
  options_.loss.distillation_temperature = 2;
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  EXPECT_EQ(tuned.history.back().train_accuracy, 0);  // counted by the labels
  EXPECT_GT(tuned.history[tuned.best_epoch - 1].validation_accuracy, 0.5);
}

TEST_F(FineTunerTest, AClassOfWeightZeroIsNotLearnt) {
  options_.phases = {{.epochs = 8, .learning_rate = 1e-2, .batch_size = 4}};
  options_.loss.class_weight = {1, 1, 0};
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  for (const EpochMetrics& metrics : tuned.history) EXPECT_LE(metrics.validation_accuracy, 2.0 / 3 + 1e-9);
}

TEST_F(FineTunerTest, PatienceEndsThePhaseAndTheNextStartsFromTheBest) {
  for (int& label : validation_.labels) label = (label + 1) % kClasses;  // the more it learns, the worse it looks
  options_.phases = {{.epochs = 20, .patience = 2, .learning_rate = 1e-2, .batch_size = 4},
                     {.epochs = 1, .learning_rate = 1e-12, .batch_size = 4}};
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  ASSERT_LT(tuned.history.size(), 21u);
  const EpochMetrics& best = tuned.history[tuned.best_epoch - 1];
  // The second phase barely moves, so that it shows what it started from.
  EXPECT_EQ(tuned.history.back().phase, 2);
  EXPECT_NEAR(tuned.history.back().validation_loss, best.validation_loss, 1e-5);
  EXPECT_GT(tuned.history[tuned.history.size() - 2].validation_loss, best.validation_loss + 1e-3);
}

TEST_F(FineTunerTest, ObserverSeesEveryEpochOnceInOrder) {
  options_.phases[0].epochs = 4;
  const auto crash = [](const EpochMetrics& metrics) {
    return metrics.epoch == 3 ? absl::UnavailableError("crash") : absl::OkStatus();
  };
  EXPECT_THAT(Run("a", Never, crash), StatusIs(absl::StatusCode::kUnavailable, "crash"));
  std::vector<int> seen;
  const auto note = [&seen](const EpochMetrics& metrics) {
    seen.push_back(metrics.epoch);
    return absl::OkStatus();
  };
  ASSERT_OK(Run("a", Never, note, 2));
  EXPECT_THAT(seen, ElementsAre(3, 4));
}

TEST_F(FineTunerTest, NonFiniteLossIsNamedAndTheBestEpochKept) {
  options_.phases = {{.epochs = 1, .batch_size = 4},
                     {.epochs = 3, .optimizer = Optimizer::kSgd, .learning_rate = 1e38, .batch_size = 4}};
  EXPECT_THAT(Run("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite in epoch 2, step ")));
  ASSERT_OK_AND_ASSIGN(const FineTuned kept, BestSoFar(inputs_, options_, folder_ / "a"));
  EXPECT_EQ(kept.best_epoch, 1);
  EXPECT_EQ(kept.history.size(), 1u);
}

TEST_F(FineTunerTest, BestSoFarIsTheResultOfWhatHasRun) {
  EXPECT_THAT(BestSoFar(inputs_, options_, folder_ / "a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no epoch")));
  options_.phases = {{.trainable = Trainable::kAll, .epochs = 1, .batch_size = 4},
                     {.trainable = Trainable::kAll, .epochs = 1, .batch_size = 4}};
  const auto crash = [](const EpochMetrics&) { return absl::UnavailableError("crash"); };
  EXPECT_THAT(Run("a", Never, crash), StatusIs(absl::StatusCode::kUnavailable, "crash"));
  ASSERT_OK_AND_ASSIGN(const FineTuned kept, BestSoFar(inputs_, options_, folder_ / "a"));
  options_.phases.pop_back();
  ASSERT_OK_AND_ASSIGN(const FineTuned one_epoch, Run("b"));
  EXPECT_EQ(DigestOf(kept), DigestOf(one_epoch));
}

TEST_F(FineTunerTest, LabelsOutsideTheClassesAreRefused) {
  train_.labels[3] = kClasses;
  EXPECT_THAT(Run("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("labels in 0 .. 2")));
}

TEST_F(FineTunerTest, BFloat16ThatChangesTheLossFallsBackToFloat32) {
  // A steep head, biased so that float32 is sure of the class that bfloat16's rounding speaks against most.
  for (float& weight : inputs_.head.kernel) weight *= 3000;
  MadePhotos photo(1, kSize, 2);
  const auto network = TrainableNetwork::Create("mobilenet_v2", *weights_, inputs_.head, "cpu").value();
  const torch::Tensor f32 = Logits(*network, photo, /*bf16=*/false)[0];
  photo.labels[0] = (Logits(*network, photo, /*bf16=*/true)[0] - f32).argmin().item<int>();
  inputs_.head.bias = ToVector(-f32);
  inputs_.head.bias[static_cast<size_t>(photo.labels[0])] += 5;
  inputs_.validation = &photo;
  options_.bf16 = true;
  options_.phases[0].learning_rate = 1e-9;
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  EXPECT_TRUE(tuned.fell_back_to_f32);
  EXPECT_LT(tuned.history[0].validation_loss, 0.1);
}

TEST_F(FineTunerTest, BFloat16TrainsWhereItDoesNoHarm) {
  options_.bf16 = true;
  options_.phases = {{.trainable = Trainable::kLastBlocks, .last_blocks = 1, .epochs = 1, .batch_size = 4}};
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("bf16"));
  EXPECT_FALSE(tuned.fell_back_to_f32);
  options_.bf16 = false;
  ASSERT_OK_AND_ASSIGN(const FineTuned f32, Run("f32"));
  EXPECT_NE(DigestOf(tuned), DigestOf(f32));
  EXPECT_NEAR(tuned.history[0].train_loss, f32.history[0].train_loss, 0.1 * f32.history[0].train_loss);
}

// Resuming, with everything that has a state switched on.
class ResumeTest : public FineTunerTest {
 protected:
  explicit ResumeTest(const std::string& backbone = "mobilenet_v2") : FineTunerTest(backbone) {
    options_.mixup_alpha = 0.2;
    options_.cutmix_alpha = 1;
    options_.ema_decay = 0.9;
    options_.loss.label_smoothing = 0.1;
    inputs_.train = &augmented_;
  }
  PhaseOptions Phase(Trainable trainable) const {
    return {.trainable = trainable,
            .last_blocks = 2,
            .epochs = 2,
            .learning_rate = 1e-3,
            .layer_decay = 0.9,
            .weight_decay = 0.01,
            .clip_norm = 1,
            .schedule = Schedule::kCosine,
            .warmup_epochs = 0.5,
            .batch_size = 4,
            .accumulation = 2};
  }

  MadePhotos augmented_{10, kSize, 1, /*varies=*/true};
};

constexpr int kQuestions = 5;  // of an epoch: 3 updates and 2 batches of validation

TEST_F(ResumeTest, StoppedAnywhereTheHeadsRunEndsWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kHead)};
  ExpectSameAfterStops(DigestOfRun("undisturbed"), kQuestions);
}

TEST_F(ResumeTest, StoppedAnywhereTheLastBlocksRunEndsWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kLastBlocks)};
  options_.phases[0].batch_norm = BatchNormMode::kTrain;
  ExpectSameAfterStops(DigestOfRun("undisturbed"), kQuestions);
}

TEST_F(ResumeTest, StoppedAnywhereTheRunOfAllLayersEndsWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kAll)};
  ExpectSameAfterStops(DigestOfRun("undisturbed"), kQuestions);
}

TEST_F(ResumeTest, StoppedAnywhereARunOnKeptActivationsEndsWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kLastBlocks)};
  options_.mixup_alpha = options_.cutmix_alpha = 0;
  inputs_.train = &train_;
  ExpectSameAfterStops(DigestOfRun("undisturbed"), kQuestions);
}

TEST_F(ResumeTest, StoppedEveryThirdQuestionThreePhasesEndWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kHead), Phase(Trainable::kLastBlocks), Phase(Trainable::kAll)};
  options_.phases[0].optimizer = Optimizer::kSgd;
  options_.phases[0].schedule = Schedule::kPlateau;
  options_.phases[1].patience = 1;
  const std::string undisturbed = DigestOfRun("undisturbed");
  absl::StatusOr<FineTuned> tuned = absl::CancelledError("not begun");
  while (absl::IsCancelled(tuned.status())) tuned = Run("stopped", StopAt(3));
  ASSERT_OK(tuned);
  EXPECT_EQ(DigestOf(*tuned), undisturbed);
}

TEST_F(ResumeTest, StoppedWithinAnUpdateItIsMadeAgainWithTheSameBytes) {
  options_.phases = {Phase(Trainable::kLastBlocks), Phase(Trainable::kAll)};
  for (PhaseOptions& phase : options_.phases) phase.batch_norm = BatchNormMode::kTrain;
  int updates = 0, questions = 0;
  const auto count = [](int& asked) { return [&asked] { return ++asked < 0; }; };
  ASSERT_OK_AND_ASSIGN(const FineTuned undisturbed, Run("undisturbed", count(updates)));
  options_.stop_within_updates = true;
  ASSERT_OK_AND_ASSIGN(const FineTuned asked, Run("asked", count(questions)));
  EXPECT_EQ(DigestOf(asked), DigestOf(undisturbed));
  EXPECT_GT(questions, 10 * updates);
  for (int stop = 1; stop <= 7; ++stop) {
    const std::string checkpoint = "stopped" + std::to_string(stop);
    EXPECT_THAT(Run(checkpoint, StopAt(stop * questions / 8)), StatusIs(absl::StatusCode::kCancelled));
    ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run(checkpoint));
    EXPECT_EQ(DigestOf(tuned), DigestOf(undisturbed)) << "stopped at question " << stop * questions / 8;
  }
}

TEST_F(ResumeTest, TornAndForeignCheckpointsAreNotUsed) {
  options_.phases = {Phase(Trainable::kLastBlocks)};
  const std::string undisturbed = DigestOfRun("undisturbed");
  EXPECT_THAT(Run("a", StopAt(kQuestions + 2)), StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 2 after 1 ")));
  for (const char* newest : {"a.0", "a.1"}) {  // the one of the stop, then the one of epoch 1's end
    std::filesystem::resize_file(folder_ / std::string(newest),
                                 std::filesystem::file_size(folder_ / std::string(newest)) / 2);
    std::filesystem::create_directory(folder_ / "copy");
    std::filesystem::copy(folder_ / "a.0", folder_ / "copy/a.0", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy(folder_ / "a.1", folder_ / "copy/a.1", std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(DigestOfRun("copy/a"), undisturbed) << newest;
  }
  EXPECT_THAT(Run("b", StopAt(kQuestions + 2)), StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 2 after 1 ")));
  options_.seed = 6;
  EXPECT_EQ(DigestOfRun("b"), DigestOfRun("fresh"));
}

TEST_F(ResumeTest, ARunOutOfMemoryGoesOnInSmallerPasses) {
  options_.phases = {Phase(Trainable::kLastBlocks)};
  EXPECT_THAT(Run("a", StopAt(kQuestions + 1)), StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 2 after 0 ")));
  options_.phases[0].accumulation = 4;
  std::vector<int> seen;
  const auto note = [&seen](const EpochMetrics& metrics) {
    seen.push_back(metrics.epoch);
    return absl::OkStatus();
  };
  ASSERT_OK(Run("a", Never, note, 1));
  EXPECT_THAT(seen, ElementsAre(2));
}

// For every backbone.
class EveryBackboneTuned : public ResumeTest, public ::testing::WithParamInterface<const char*> {
 protected:
  EveryBackboneTuned() : ResumeTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Catalog, EveryBackboneTuned,
                         ::testing::Values("mobilenet_v2", "efficientnet_v2_b0", "resnet50_v2"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EveryBackboneTuned, FrozenRunLeavesEveryByteOfTheBackbone) {
  options_.phases = {Phase(Trainable::kHead)};
  options_.phases[0].batch_norm = BatchNormMode::kTrain;
  ASSERT_OK_AND_ASSIGN(const FineTuned tuned, Run("a"));
  EXPECT_TRUE(tuned.backbone_safetensors == bytes_);
  EXPECT_NE(SerializeHead(tuned.head), SerializeHead(inputs_.head));
}

// The matrix of the kill-and-resume promise; the programs themselves are killed in tests/robustness.
TEST_P(EveryBackboneTuned, StoppedThreeTimesEndsWithTheSameBytes) {
  if (std::getenv("GRAFT_FULL_RESUME_MATRIX") == nullptr) GTEST_SKIP() << "set GRAFT_FULL_RESUME_MATRIX to run it";
  std::mt19937 generator(7);
  for (const Trainable trainable : {Trainable::kHead, Trainable::kLastBlocks, Trainable::kAll}) {
    options_.phases = {Phase(trainable)};
    const std::string name = std::to_string(static_cast<int>(trainable));
    const std::string undisturbed = DigestOfRun("undisturbed" + name);
    for (int run = 0; run < 10; ++run) {
      const std::string checkpoint = "stopped" + name + "_" + std::to_string(run);
      absl::StatusOr<FineTuned> tuned = absl::CancelledError("not begun");
      for (int stop = 0; stop < 3 && absl::IsCancelled(tuned.status()); ++stop) {
        tuned = Run(checkpoint, StopAt(1 + static_cast<int>(generator() % 4)));
      }
      if (absl::IsCancelled(tuned.status())) tuned = Run(checkpoint);
      ASSERT_OK(tuned);
      EXPECT_EQ(DigestOf(*tuned), undisturbed) << "trainable " << name << ", run " << run;
    }
  }
}

}  // namespace
}  // namespace graft::train
