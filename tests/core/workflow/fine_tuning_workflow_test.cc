// A job that trains the backbone too, on a real network with random weights: from its spec to a version that
// classifies.
#include <filesystem>
#include <future>
#include <variant>

#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/inference/classifier.h"
#include "core/registry/manifest.h"
#include "core/workflow/train_workflow.h"
#include "server/weights/import_weights.h"
#include "tests/testing/training_site.h"

namespace graft::workflow {
namespace {

using ::graft::testing::TrainingSite;
using jobs::State;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;

constexpr int kPerClass = 5;

bool Never() {
  return false;
}

jobs::Phase Photos(const std::string& trainable) {
  return {.trainable = trainable,
          .optimizer = "adam",
          .schedule = "cosine",
          .batch_norm = "frozen",
          .epochs = 2,
          .patience = 0,
          .batch_size = 4,
          .accumulation = 1,
          .learning_rate = 1e-5,  // so small that the accuracy stays that of the head
          .layer_decay = 1,
          .weight_decay = 0,
          .clip_norm = 0,
          .warmup_epochs = 0};
}

class FineTuningWorkflowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_.Open(EngineFactory{});
    ASSERT_OK_AND_ASSIGN(base_, server::PutRandomWeights(site_.weights_root(), TrainingSite::kBackbone, 1));
    site_.ImportPictures("colours", kPerClass);
  }

  // A head of three epochs, then the last block for two.
  static jobs::TrainSpec Spec() {
    jobs::TrainSpec spec = TrainingSite::Spec("colours");
    spec.preset = "custom";
    spec.epochs = spec.patience = spec.batch_size = std::nullopt;
    spec.learning_rate = std::nullopt;
    spec.phases = {{.trainable = "head",
                    .optimizer = "adam",
                    .schedule = "constant",
                    .epochs = 3,
                    .patience = 3,
                    .batch_size = 4,
                    .learning_rate = 1e-3},
                   Photos("blocks:1")};
    spec.augment = "light";
    spec.class_weights = "balanced";
    spec.label_smoothing = 0.1;
    spec.focal_gamma = spec.mixup_alpha = spec.cutmix_alpha = spec.ema_decay = 0;
    return spec;
  }

  // The head at its optimum, then the same.
  static jobs::TrainSpec SolvedSpec() {
    jobs::TrainSpec spec = Spec();
    spec.phases[0] = {.trainable = "head", .optimizer = "lbfgs"};
    return spec;
  }

  jobs::Job Get(const std::string& id) { return site_.jobs().Get(id).value_or(jobs::Job{}); }
  std::vector<jobs::EpochDone> Epochs(const std::string& id) { return site_.EventsOf<jobs::EpochDone>(id); }
  jobs::Job RunToEnd(const jobs::TrainSpec& spec) {
    const jobs::Claim claim = site_.SubmitAndClaim(spec);
    EXPECT_OK(RunTrainJob(site_.resources(), claim, Never));
    const jobs::Job job = Get(claim.lease.job_id);
    EXPECT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
    return job;
  }
  // Another attempt takes the job after so many epochs.
  jobs::Job RunStolenAfter(size_t epochs, const jobs::TrainSpec& spec) {
    const jobs::Claim first = site_.SubmitAndClaim(spec);
    std::optional<jobs::Claim> second;
    const auto steal = [&] {
      if (!second && Epochs(first.lease.job_id).size() == epochs) {
        EXPECT_OK(site_.jobs().ReleaseLeases("cpu"));
        second = site_.Claim("cpu");
      }
      return false;
    };
    EXPECT_TRUE(IsLeaseLost(RunTrainJob(site_.resources(), first, steal)));
    EXPECT_TRUE(second.has_value());
    EXPECT_OK(RunTrainJob(site_.resources(), second.value_or(first), Never));
    const jobs::Job job = Get(first.lease.job_id);
    EXPECT_EQ(job.state, State::kSucceeded);
    return job;
  }
  registry::ModelVersion Published(int number) {
    const auto version = site_.registry().Find({.name = "colours", .number = number});
    EXPECT_OK(version);
    return version.value_or(registry::ModelVersion{});
  }
  int FeatureSpaces() {
    int spaces = 0;
    for (const auto& entry : std::filesystem::directory_iterator(site_.features_root())) spaces += entry.is_directory();
    return spaces;
  }

  TrainingSite site_;
  weights::StoredWeights base_;
};

TEST_F(FineTuningWorkflowTest, PublishesABackboneOfItsOwnThatClassifies) {
  const jobs::Job job = RunToEnd(Spec());
  EXPECT_THAT(Epochs(job.id),
              ElementsAre(Field(&jobs::EpochDone::phase, "head"), Field(&jobs::EpochDone::phase, "head"),
                          Field(&jobs::EpochDone::phase, "head"), Field(&jobs::EpochDone::phase, "blocks:1"),
                          Field(&jobs::EpochDone::phase, "blocks:1")));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(Epochs(job.id)[i].epoch, static_cast<int>(i) + 1);
  EXPECT_THAT(Epochs(job.id), Each(Field(&jobs::EpochDone::epochs, 5)));
  EXPECT_EQ(job.result->epochs_run, 5);
  EXPECT_GT(job.result->best_epoch, 3);
  EXPECT_EQ(job.result->trainable_parameters, 886'080 + 1280 * 3 + 3);

  const registry::ModelVersion version = Published(1);
  EXPECT_NE(version.backbone_sha256, base_.sha256);
  ASSERT_OK(weights::Safetensors::Load(version.backbone_path, version.backbone_sha256));
  ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  EXPECT_EQ(manifest.trainable, "blocks:1");
  EXPECT_EQ(manifest.backbone_sha256, version.backbone_sha256);
  EXPECT_EQ(manifest.base_backbone_sha256, base_.sha256);
  EXPECT_EQ(FeatureSpaces(), 1) << "those of the job's own weights went with the job";
  EXPECT_FALSE(std::filesystem::exists(site_.jobs_root() + "/" + job.id));

  const auto classifier = inference::Classifier::Create(
      &site_.registry(), {.weights_root = site_.weights_root(), .threads = 2, .create_engine = engine::CreateEngine});
  std::promise<absl::StatusOr<inference::Classification>> answer;
  classifier->Classify({.model = "colours", .image = testing::MakeBmp(16, {200, 40, 40}, 1234), .top_k = 3},
                       [&answer](absl::StatusOr<inference::Classification> result) { answer.set_value(result); });
  ASSERT_OK_AND_ASSIGN(const inference::Classification classification, answer.get_future().get());
  EXPECT_EQ(classification.model_version, "models/colours/versions/1");
  EXPECT_EQ(classification.predictions.size(), 3u);
}

TEST_F(FineTuningWorkflowTest, AnotherAttemptEndsWithTheSameBytes) {
  RunToEnd(Spec());
  // Stolen after an epoch of each kind, and in the middle of one.
  for (const size_t epochs : {2, 4}) {
    const jobs::Job job = RunStolenAfter(epochs, Spec());
    EXPECT_EQ(Epochs(job.id).size(), 5u) << "each epoch is reported once";
  }
  for (const int number : {2, 3}) {
    EXPECT_EQ(Published(number).backbone_sha256, Published(1).backbone_sha256);
    EXPECT_EQ(Published(number).head_sha256, Published(1).head_sha256);
  }
}

TEST_F(FineTuningWorkflowTest, HeadMayBeSolvedBeforeThePhotos) {
  const jobs::Job job = RunToEnd(SolvedSpec());
  EXPECT_THAT(Epochs(job.id),
              ElementsAre(Field(&jobs::EpochDone::phase, "blocks:1"), Field(&jobs::EpochDone::phase, "blocks:1")));
  EXPECT_EQ(Epochs(job.id)[0].epoch, 1);
  EXPECT_EQ(job.result->epochs_run, 2);
  EXPECT_GT(job.result->best_epoch, 0);
  EXPECT_EQ(job.result->stop_reason, "completed");
  EXPECT_NE(Published(1).backbone_sha256, base_.sha256);
  const size_t trials = job.result->trials.size();
  EXPECT_GT(trials, 1u);
  EXPECT_EQ(site_.EventsOf<jobs::TrialDone>(job.id).size(), trials);

  const jobs::Job stolen = RunStolenAfter(1, SolvedSpec());
  EXPECT_EQ(site_.EventsOf<jobs::TrialDone>(stolen.id).size(), trials);
  EXPECT_EQ(Epochs(stolen.id).size(), 2u);
  EXPECT_EQ(Published(2).backbone_sha256, Published(1).backbone_sha256);
  EXPECT_EQ(Published(2).head_sha256, Published(1).head_sha256);
}

TEST_F(FineTuningWorkflowTest, SolvedHeadIsPublishedWhereThePhasesEndBelowIt) {
  jobs::TrainSpec spec = SolvedSpec();
  spec.precision = "f32";
  spec.phases[1].learning_rate = 10;  // destroys what there is
  spec.phases[1].epochs = 1;
  const jobs::Job job = RunToEnd(spec);
  EXPECT_TRUE(job.result->discarded_validation_accuracy.has_value());
  EXPECT_EQ(job.result->best_epoch, 0);
  EXPECT_EQ(job.result->epochs_run, 1);
  EXPECT_EQ(Published(1).backbone_sha256, base_.sha256);
  jobs::TrainSpec alone = spec;
  alone.phases.pop_back();
  RunToEnd(alone);
  EXPECT_EQ(Published(2).head_sha256, Published(1).head_sha256);
}

TEST_F(FineTuningWorkflowTest, CancelledWhileItTrainsTheBackbone) {
  const jobs::Claim claim = site_.SubmitAndClaim(Spec());
  const auto cancel = [&] {
    if (Epochs(claim.lease.job_id).size() < 4) return false;
    EXPECT_OK(site_.jobs().RequestCancel(claim.lease.job_id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, cancel));
  EXPECT_EQ(Get(claim.lease.job_id).state, State::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(site_.jobs_root() + "/" + claim.lease.job_id));
  EXPECT_THAT(site_.registry().Count().value().versions, 0);
}

TEST_F(FineTuningWorkflowTest, PhasesThatEndBelowTheirHeadAreNotPublished) {
  jobs::TrainSpec spec = Spec();
  spec.precision = "f32";
  spec.phases[0].epochs = 20;
  spec.phases[0].patience = 20;
  spec.phases[1].learning_rate = 10;  // destroys what there is
  spec.phases[1].epochs = 1;
  const jobs::Job job = RunToEnd(spec);
  ASSERT_TRUE(job.result->discarded_validation_accuracy.has_value());
  EXPECT_LT(*job.result->discarded_validation_accuracy, job.result->validation_accuracy);
  EXPECT_LE(job.result->best_epoch, 20);
  EXPECT_EQ(job.result->epochs_run, 21);
  EXPECT_EQ(job.result->trainable_parameters, 1280 * 3 + 3);
  EXPECT_EQ(Published(1).backbone_sha256, base_.sha256);
  EXPECT_EQ(Published(1).backbone_path, "");
  int said = 0;
  for (const jobs::Event& event : site_.jobs().Events(job.id, 0, 10000).value_or(std::vector<jobs::Event>{})) {
    const auto* message = std::get_if<jobs::Message>(&event.body);
    said += message != nullptr && message->text.find("the head is published") != std::string::npos;
  }
  EXPECT_EQ(said, 1);
  jobs::TrainSpec alone = spec;
  alone.phases.pop_back();
  RunToEnd(alone);
  EXPECT_EQ(Published(2).head_sha256, Published(1).head_sha256);
}

TEST_F(FineTuningWorkflowTest, WithoutAPhaseOfTheHeadNoFeaturesAreCached) {
  jobs::TrainSpec spec = Spec();
  spec.phases = {Photos("blocks:1")};
  spec.phases[0].epochs = 1;
  const jobs::Job job = RunToEnd(spec);
  EXPECT_EQ(Epochs(job.id).size(), 1u);
  EXPECT_EQ(job.result->images_computed, 0);
  EXPECT_NE(Published(1).backbone_path, "");
}

TEST_F(FineTuningWorkflowTest, VersionThatStartsFromAnotherKeepsItsBackboneWhenThatIsDeleted) {
  RunToEnd(Spec());
  const registry::ModelVersion first = Published(1);
  jobs::TrainSpec spec = TrainingSite::Spec("colours");
  spec.init_from = "models/colours/versions/1";
  RunToEnd(spec);
  ASSERT_OK(site_.registry().Delete("colours", 1));
  const registry::ModelVersion second = Published(2);
  EXPECT_EQ(second.backbone_sha256, first.backbone_sha256);
  EXPECT_OK(weights::Safetensors::Load(second.backbone_path, second.backbone_sha256));
  ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(second.manifest));
  EXPECT_EQ(manifest.trainable, "head");
  EXPECT_EQ(manifest.init_from, "models/colours/versions/1");
  EXPECT_EQ(manifest.base_backbone_sha256, first.backbone_sha256);

  const jobs::Claim orphan = site_.SubmitAndClaim(spec);
  ASSERT_OK(RunTrainJob(site_.resources(), orphan, Never));
  const jobs::Job failed = Get(orphan.lease.job_id);
  ASSERT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.failure->type, jobs::FailureType::kConfig);
}

TEST_F(FineTuningWorkflowTest, TeacherOfThePhotosChangesWhatIsLearned) {
  RunToEnd(Spec());
  jobs::TrainSpec spec = Spec();
  spec.teacher = "models/colours/versions/1";
  spec.distillation_weight = 0.5;
  spec.distillation_temperature = 2;
  RunToEnd(spec);
  EXPECT_NE(Published(2).backbone_sha256, Published(1).backbone_sha256);
}

TEST_F(FineTuningWorkflowTest, PhasesOfTheHeadAloneLeaveTheBackboneShared) {
  jobs::TrainSpec spec = Spec();
  spec.phases.pop_back();
  RunToEnd(spec);
  EXPECT_EQ(Published(1).backbone_sha256, base_.sha256);
  EXPECT_EQ(Published(1).backbone_path, "");
}

}  // namespace
}  // namespace graft::workflow
