#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "core/image/augment.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/registry/evaluation_record.h"
#include "core/registry/manifest.h"
#include "core/train/checkpoint.h"
#include "core/weights/safetensors.h"
#include "tests/core/workflow/train_workflow_fixture.h"

namespace graft::workflow {
namespace {

using ::graft::testing::StatusIs;
using ::graft::testing::TrainingSite;
using jobs::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(TrainWorkflowTest, TrainsAndPublishesAVersionThatExplainsItself) {
  jobs::TrainSpec spec = spec_;
  spec.alias = "production";
  const jobs::Job job = RunToEnd(spec);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  ASSERT_TRUE(job.result.has_value());
  EXPECT_EQ(job.result->model_version, "models/colours/versions/1");
  EXPECT_EQ(job.result->test_accuracy, 1.0);
  EXPECT_EQ(job.result->images_computed, 3 * kPerClass);
  EXPECT_GT(job.result->loader_images_per_second, 0);
  EXPECT_GT(job.result->engine_images_per_second, 0);
  EXPECT_EQ(job.result->trainable_parameters, 1280 * 3 + 3);
  EXPECT_EQ(job.result->classes.size(), 3u);
  EXPECT_EQ(job.result->confusion.size(), 3u);  // all on the diagonal
  for (const char* phase : {"prepare", "train", "evaluate", "publish", "total"}) {
    EXPECT_GT(job.result->phase_seconds.at(phase), 0) << phase;
  }

  ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version,
                       site_.registry().Find({.name = "colours", .alias = "production"}));
  EXPECT_EQ(version.head_sha256, job.result->weights_sha256);
  EXPECT_EQ(version.job_id, job.id);
  ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  EXPECT_THAT(manifest.labels, ElementsAre("blue", "green", "red"));
  EXPECT_EQ(manifest.dataset_version, "datasets/colours/versions/1");
  ASSERT_OK_AND_ASSIGN(const jobs::TrainSpec manifest_spec, jobs::TrainSpecFromJson(manifest.spec_json));
  EXPECT_EQ(manifest_spec, spec);
  EXPECT_FALSE(std::filesystem::exists(site_.jobs_root() + "/" + job.id));
}

TEST_F(TrainWorkflowTest, VersionIsEvaluatedAndCalibrated) {
  const jobs::Job job = RunToEnd(spec_);
  ASSERT_TRUE(job.result.has_value());
  const jobs::Result& result = *job.result;
  ASSERT_TRUE(result.macro && result.weighted && result.calibration && result.intervals);
  EXPECT_EQ(result.macro->f1, 1);
  EXPECT_EQ(result.macro->roc_auc, 1.0);
  EXPECT_EQ(result.weighted->recall, result.test_accuracy);
  EXPECT_EQ(result.classes[0].f1, 1.0);
  EXPECT_EQ(result.classes[0].roc_auc, 1.0);
  EXPECT_EQ(result.intervals->test_accuracy.low, 1);
  EXPECT_LE(result.intervals->test_loss.low, result.test_loss);
  EXPECT_GE(result.intervals->test_loss.high, result.test_loss);
  // All of validation is right, so more confidence fits it better.
  EXPECT_LT(result.calibration->temperature, 1);
  EXPECT_LT(result.calibration->test_loss, result.test_loss);
  EXPECT_LT(result.calibration->error_after, result.calibration->error_before);
  ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version, site_.registry().Find({.name = "colours"}));
  ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  EXPECT_EQ(manifest.temperature, result.calibration->temperature);
}

TEST_F(TrainWorkflowTest, PredictionsOfTheTestAreKeptWithTheVersion) {
  const jobs::Job job = RunToEnd(spec_);
  ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version, site_.registry().Find({.name = "colours"}));
  ASSERT_OK_AND_ASSIGN(const registry::EvaluationRecord record,
                       registry::ReadEvaluationRecord(version.evaluation_path));
  int images = 0;
  for (const jobs::ClassMetrics& metrics : job.result->classes) images += metrics.images;
  EXPECT_EQ(static_cast<int>(record.labels.size()), images);
  EXPECT_EQ(record.predictions, record.labels);  // all are right
  EXPECT_FALSE(record.highest_loss.empty());
  EXPECT_TRUE(record.disagreements.empty());
  ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  EXPECT_EQ(manifest.test_split_hash.size(), 64u);
}

TEST_F(TrainWorkflowTest, MislabelledPhotosAreSuspects) {
  constexpr int kMislabelled = 6;
  site_.ImportPictures("wrong", kPerClass, kMislabelled);
  ASSERT_EQ(RunToEnd(TrainingSite::Spec("wrong")).state, State::kSucceeded);
  ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version, site_.registry().Find({.name = "colours"}));
  ASSERT_OK_AND_ASSIGN(const registry::EvaluationRecord record,
                       registry::ReadEvaluationRecord(version.evaluation_path));
  ASSERT_FALSE(record.disagreements.empty());
  for (const registry::Suspect& suspect : record.disagreements) {
    const std::string number = suspect.path.substr(suspect.path.find('/') + 1);
    EXPECT_LT(std::stoi(number), kMislabelled) << suspect.path;
    EXPECT_EQ(suspect.path.substr(0, suspect.path.find('/')), suspect.label);
    EXPECT_NE(suspect.predicted, suspect.label);
    EXPECT_GT(suspect.probability, suspect.label_probability);
    EXPECT_NEAR(suspect.loss, -std::log(suspect.label_probability), 1e-5);
  }
  EXPECT_NE(record.highest_loss.front().predicted, record.highest_loss.front().label);
  for (size_t i = 1; i < record.highest_loss.size(); ++i) {
    EXPECT_GE(record.highest_loss[i - 1].loss, record.highest_loss[i].loss);
  }
}

TEST_F(TrainWorkflowTest, ViewsOfTheTrainingPhotosAreComputedOnceForASeed) {
  jobs::TrainSpec spec = spec_;
  spec.augment = "medium";
  spec.views = 3;
  const jobs::Job plain = RunToEnd(spec_);
  const jobs::Job first = RunToEnd(spec);
  ASSERT_EQ(first.state, State::kSucceeded) << (first.failure ? first.failure->message : "");
  const int trained = first.result->images_computed / 2;  // in each of two views
  EXPECT_EQ(first.result->images_computed, 2 * trained);
  EXPECT_EQ(trained, 18);  // of 30: no view of validation and test photos
  EXPECT_EQ(first.result->images_from_cache, 3 * kPerClass);
  EXPECT_NE(first.result->weights_sha256, plain.result->weights_sha256);
  const jobs::Job second = RunToEnd(spec);
  EXPECT_EQ(second.result->images_computed, 0);
  EXPECT_EQ(second.result->weights_sha256, first.result->weights_sha256);
}

TEST_F(TrainWorkflowTest, EveryAugmentationThatASpecMayNameExists) {
  EXPECT_EQ(jobs::AugmentNames(), image::AugmentNames());
}

TEST_F(TrainWorkflowTest, VersionDecodesAsItsSpecSays) {
  jobs::TrainSpec spec = spec_;
  for (const auto& [asked, stored] : {std::pair{"", "scaled"}, std::pair{"full", "full"}}) {
    spec.decode = asked;
    ASSERT_EQ(RunToEnd(spec).state, State::kSucceeded);
    ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version, site_.registry().Find({.name = "colours"}));
    ASSERT_OK_AND_ASSIGN(const registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
    EXPECT_EQ(manifest.preprocess.decode, stored);
  }
}

TEST_F(TrainWorkflowTest, EventsAreDenseAndTellEveryStep) {
  const jobs::Job job = RunToEnd(spec_);
  const std::vector<jobs::Event> events = Events(job.id);
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence, static_cast<int>(i) + 1);
  EXPECT_THAT(States(job.id), ElementsAre(State::kQueued, State::kPreparing, State::kTraining, State::kEvaluating,
                                          State::kPublishing, State::kSucceeded));
  EXPECT_EQ(site_.EventsOf<jobs::FeaturesReady>(job.id).size(), 1u);
  const auto epochs = site_.EventsOf<jobs::EpochDone>(job.id);
  ASSERT_EQ(static_cast<int>(epochs.size()), job.result->epochs_run);
  for (size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i].epoch, static_cast<int>(i) + 1);
  EXPECT_EQ(epochs.back().epochs, 5);
}

TEST_F(TrainWorkflowTest, SecondJobComputesNothingAndEndsWithTheSameBytes) {
  const jobs::Job first = RunToEnd(spec_);
  const jobs::Job second = RunToEnd(spec_);
  EXPECT_EQ(second.result->images_computed, 0);
  EXPECT_EQ(second.result->images_from_cache, 3 * kPerClass);
  EXPECT_EQ(second.result->model_version, "models/colours/versions/2");
  EXPECT_EQ(second.result->weights_sha256, first.result->weights_sha256);
  EXPECT_EQ(site_.engines_made(), 1);
  EXPECT_EQ(site_.engine()->images(), 3 * kPerClass);
}

TEST_F(TrainWorkflowTest, JobOnAGrownDataSetComputesOnlyTheNewPhotos) {
  const jobs::Job first = RunToEnd(spec_);
  EXPECT_EQ(first.result->images_computed, 3 * kPerClass);
  site_.ImportPictures("colours", kPerClass + 2);
  jobs::TrainSpec grown = spec_;
  grown.dataset = "datasets/colours/versions/2";
  const jobs::Job second = RunToEnd(grown);
  ASSERT_TRUE(second.result.has_value());
  EXPECT_EQ(second.result->images_computed, 3 * 2);
  EXPECT_EQ(second.result->images_from_cache, 3 * kPerClass);
  EXPECT_EQ(site_.engine()->images(), 3 * kPerClass + 3 * 2);
}

TEST_F(TrainWorkflowTest, SolverTellsItsTrialsAndPublishesTheBest) {
  const jobs::Job job = RunToEnd(Solved(spec_));
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->test_accuracy, 1.0);
  EXPECT_EQ(job.result->epochs_run, 0);
  EXPECT_EQ(site_.EventsOf<jobs::EpochDone>(job.id).size(), 0u);
  const auto done = site_.EventsOf<jobs::TrialDone>(job.id);
  ASSERT_EQ(done.size(), job.result->trials.size());
  ASSERT_FALSE(done.empty());
  int best = 0;
  for (size_t i = 0; i < done.size(); ++i) {
    const jobs::Trial& trial = job.result->trials[i];
    EXPECT_EQ(trial.number, static_cast<int>(i) + 1);
    EXPECT_EQ(trial.l2, done[i].trial.l2);
    EXPECT_LE(done.size(), static_cast<size_t>(done[i].trials));
    if (!trial.best) continue;
    ++best;
    EXPECT_EQ(job.result->validation_loss, trial.validation_loss);
    EXPECT_EQ(job.result->validation_accuracy, trial.validation_accuracy);
  }
  EXPECT_EQ(best, 1);
}

TEST_F(TrainWorkflowTest, SweepTellsItsCombinationsAndPublishesTheBest) {
  jobs::TrainSpec patient = spec_;
  patient.patience = patient.epochs;
  const jobs::Job job = RunToEnd(Swept(patient));
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  const std::vector<jobs::Trial>& trials = job.result->trials;
  const auto done = site_.EventsOf<jobs::TrialDone>(job.id);
  ASSERT_EQ(trials.size(), 6u);
  ASSERT_EQ(done.size(), 6u);
  const auto best = std::find_if(trials.begin(), trials.end(), [](const jobs::Trial& trial) { return trial.best; });
  ASSERT_NE(best, trials.end());
  for (size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(trials[i].number, done[i].trial.number);
    EXPECT_EQ(done[i].trials, 6);
    EXPECT_GE(trials[i].validation_loss, best->validation_loss);
    if (trials[i].number == 4) {
      EXPECT_EQ(trials[i].learning_rate, 0.01);
      EXPECT_EQ(trials[i].weight_decay, 0.5);
    }
  }
  EXPECT_EQ(job.result->validation_loss, best->validation_loss);
  EXPECT_EQ(job.result->stop_reason, "completed");

  // What was published is what a job with the best combination alone comes to.
  jobs::TrainSpec alone = patient;
  alone.learning_rate = best->learning_rate;
  alone.weight_decay = best->weight_decay;
  const jobs::Job chosen = RunToEnd(alone);
  ASSERT_TRUE(chosen.result.has_value());
  EXPECT_NEAR(chosen.result->validation_loss, job.result->validation_loss, 1e-5);
  EXPECT_NEAR(chosen.result->test_loss, job.result->test_loss, 1e-5);
}

TEST_F(TrainWorkflowTest, SweepWithoutAFiniteLossIsAConfigFailure) {
  jobs::TrainSpec spec = Swept(spec_);
  spec.sweep = {{"learning_rate", {1e38, 1e37}}};
  ExpectFailure(RunToEnd(spec), jobs::FailureType::kConfig, "none of 2 candidates");
}

TEST_F(TrainWorkflowTest, ResultSaysWhyTrainingEnded) {
  EXPECT_EQ(RunToEnd(spec_).result->stop_reason, "completed");
  jobs::TrainSpec spec = spec_;
  spec.epochs = 1000;
  spec.patience = 1;
  spec.learning_rate = 1;  // far too much: the loss soon rises
  const jobs::Job job = RunToEnd(spec);
  EXPECT_LT(job.result->epochs_run, 1000);
  EXPECT_EQ(job.result->stop_reason, "early_stopped");
}

TEST_F(TrainWorkflowTest, OutOfMemoryIsTriedAgainWithLessAndWithTheSameOutcome) {
  site_.RunOutOfMemory(2);
  const jobs::Job job = RunToEnd(spec_);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  const auto reduced = site_.EventsOf<jobs::MemoryReduced>(job.id);
  ASSERT_EQ(reduced.size(), 2u);
  EXPECT_EQ(reduced[0].divisor, 2);
  EXPECT_EQ(reduced[1].divisor, 4);
  EXPECT_THAT(reduced[0].reason, HasSubstr("told to fail"));
  EXPECT_EQ(site_.engines_made(), 3);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_EQ(RunToEnd(spec_).result->weights_sha256, job.result->weights_sha256);
}

TEST_F(TrainWorkflowTest, MemoryThatIsNeverEnoughIsAFailureOfItsOwnType) {
  site_.RunOutOfMemory(100);
  const jobs::Job job = RunToEnd(spec_);
  ExpectFailure(job, jobs::FailureType::kOutOfMemory, "told to fail");
  EXPECT_EQ(site_.engines_made(), 4);
  EXPECT_EQ(site_.EventsOf<jobs::MemoryReduced>(job.id).size(), 3u);
}

// The checkpoint at `path` with a weight that is no number: what a diverging run comes to.
void SpoilCheckpoint(const std::string& path) {
  ASSERT_OK_AND_ASSIGN(const weights::Safetensors file, weights::Safetensors::Load(path + ".0", ""));
  const std::string inputs = file.metadata().at("inputs");
  std::optional<train::TrainingState> state = train::LoadCheckpoint(path, inputs, 1280, 3);
  ASSERT_TRUE(state.has_value());
  state->head.kernel[0] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_OK(train::SaveCheckpoint(path, *state, inputs));
}

TEST_F(TrainWorkflowTest, LossThatIsNoNumberStopsTheJobAndItsLastGoodCheckpointIsKept) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const std::string folder = site_.jobs_root() + "/" + id;
  const auto after_two_epochs = [&] { return site_.EventsOf<jobs::EpochDone>(id).size() == 2; };
  EXPECT_THAT(RunTrainJob(site_.resources(), claim, after_two_epochs), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_NO_FATAL_FAILURE(SpoilCheckpoint(folder + "/checkpoint"));
  ASSERT_OK(site_.jobs().GiveBack(claim.lease));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  ExpectFailure(Get(id), jobs::FailureType::kConfig, "the loss is not finite in epoch 3, step 1");
  ExpectFailure(Get(id), jobs::FailureType::kConfig, "the checkpoint after epoch 2 is kept in jobs/" + id);
  DeleteCheckpointsOfEndedJobs(site_.resources());
  EXPECT_TRUE(std::filesystem::exists(folder));
}

TEST_F(TrainWorkflowTest, UnknownDataSetVersionIsADataFailure) {
  jobs::TrainSpec spec = spec_;
  spec.dataset = "datasets/colours/versions/9";
  ExpectFailure(RunToEnd(spec), jobs::FailureType::kData, "colours");
}

TEST_F(TrainWorkflowTest, MissingWeightsAreAConfigFailureThatSaysHowToImport) {
  std::filesystem::remove_all(site_.weights_root());
  ExpectFailure(RunToEnd(spec_), jobs::FailureType::kConfig, "import");
}

TEST_F(TrainWorkflowTest, MissingDeviceIsADeviceFailure) {
  jobs::TrainSpec spec = spec_;
  spec.device = "cuda:99";
  ExpectFailure(RunToEnd(spec), jobs::FailureType::kDevice, "cuda:99");
}

TEST_F(TrainWorkflowTest, FailureInsideTheEngineIsInternal) {
  RunToEnd(spec_);
  site_.engine()->FailFromNowOn();
  site_.ImportPictures("more", kPerClass + 5);
  ExpectFailure(RunToEnd(TrainingSite::Spec("more")), jobs::FailureType::kInternal, "told to fail");
}

}  // namespace
}  // namespace graft::workflow
