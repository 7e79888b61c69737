#include "core/workflow/train_workflow.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <variant>

#include "core/base/errors.h"
#include "core/image/augment.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/registry/evaluation_record.h"
#include "core/registry/manifest.h"
#include "core/train/checkpoint.h"
#include "core/weights/safetensors.h"
#include "tests/testing/training_site.h"

namespace graft::workflow {
namespace {

using ::graft::testing::StatusIs;
using ::graft::testing::TrainingSite;
using jobs::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kPerClass = 10;

bool Never() {
  return false;
}

class TrainWorkflowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    site_.Open();
    site_.PutWeights();
    site_.ImportPictures("colours", kPerClass);
  }

  jobs::Job Get(const std::string& id) {
    const auto job = site_.jobs().Get(id);
    EXPECT_OK(job);
    return job.value_or(jobs::Job{});
  }
  std::vector<jobs::Event> Events(const std::string& id) {
    const auto events = site_.jobs().Events(id, 0, 10000);
    EXPECT_OK(events);
    return events.value_or(std::vector<jobs::Event>{});
  }
  template <typename Body>
  std::vector<Body> EventsOf(const std::string& id) {
    std::vector<Body> bodies;
    for (const jobs::Event& event : Events(id)) {
      if (const auto* body = std::get_if<Body>(&event.body)) bodies.push_back(*body);
    }
    return bodies;
  }
  std::vector<State> States(const std::string& id) {
    std::vector<State> states;
    for (const jobs::StateChanged& change : EventsOf<jobs::StateChanged>(id)) states.push_back(change.state);
    return states;
  }
  static jobs::TrainSpec Solved(jobs::TrainSpec spec) {
    spec.solver = "lbfgs";
    spec.epochs = spec.patience = spec.batch_size = std::nullopt;
    spec.learning_rate = std::nullopt;
    return spec;
  }
  // Six combinations.
  static jobs::TrainSpec Swept(jobs::TrainSpec spec) {
    spec.learning_rate.reset();
    spec.sweep = {{"learning_rate", {0.001, 0.01, 0.1}}, {"weight_decay", {0, 0.5}}};
    return spec;
  }
  // The job after an undisturbed run.
  jobs::Job RunToEnd(const jobs::TrainSpec& spec) {
    const jobs::Claim claim = site_.SubmitAndClaim(spec);
    EXPECT_OK(RunTrainJob(site_.resources(), claim, Never));
    return Get(claim.lease.job_id);
  }
  void ExpectFailure(const jobs::Job& job, jobs::FailureType type, const std::string& message) {
    EXPECT_EQ(job.state, State::kFailed);
    ASSERT_TRUE(job.failure.has_value());
    EXPECT_EQ(job.failure->type, type);
    EXPECT_THAT(job.failure->message, HasSubstr(message));
  }

  TrainingSite site_;
  const jobs::TrainSpec spec_ = TrainingSite::Spec("colours");
};

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
  EXPECT_EQ(EventsOf<jobs::FeaturesReady>(job.id).size(), 1u);
  const auto epochs = EventsOf<jobs::EpochDone>(job.id);
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

TEST_F(TrainWorkflowTest, AnotherAttemptGoesOnAndEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(spec_);
  const jobs::Claim first = site_.SubmitAndClaim(spec_);
  const std::string id = first.lease.job_id;
  // After its second epoch this attempt is taken for dead and another one claims the job.
  std::optional<jobs::Claim> second;
  const auto steal = [&] {
    if (!second && EventsOf<jobs::EpochDone>(id).size() == 2) {
      EXPECT_OK(site_.jobs().ReleaseLeases("cpu"));
      second = site_.Claim("cpu");
    }
    return false;
  };
  EXPECT_TRUE(IsLeaseLost(RunTrainJob(site_.resources(), first, steal)));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->lease.attempt, 2);
  ASSERT_OK(RunTrainJob(site_.resources(), *second, Never));

  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256);
  EXPECT_EQ(job.result->test_loss, undisturbed.result->test_loss);
  EXPECT_EQ(EventsOf<jobs::FeaturesReady>(id).size(), 1u);
  const auto epochs = EventsOf<jobs::EpochDone>(id);
  ASSERT_EQ(static_cast<int>(epochs.size()), job.result->epochs_run);
  for (size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i].epoch, static_cast<int>(i) + 1);
}

TEST_F(TrainWorkflowTest, SolverTellsItsTrialsAndPublishesTheBest) {
  const jobs::Job job = RunToEnd(Solved(spec_));
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->test_accuracy, 1.0);
  EXPECT_EQ(job.result->epochs_run, 0);
  EXPECT_EQ(EventsOf<jobs::EpochDone>(job.id).size(), 0u);
  const auto done = EventsOf<jobs::TrialDone>(job.id);
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
  const auto done = EventsOf<jobs::TrialDone>(job.id);
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

TEST_F(TrainWorkflowTest, AnotherAttemptOfASweepStartsOverAndTellsEachCombinationOnce) {
  jobs::TrainSpec spec = Swept(spec_);
  spec.patience = 1;
  const jobs::Job undisturbed = RunToEnd(spec);
  const jobs::Claim first = site_.SubmitAndClaim(spec);
  const std::string id = first.lease.job_id;
  const auto after_a_trial = [&] { return !EventsOf<jobs::TrialDone>(id).empty(); };
  EXPECT_THAT(RunTrainJob(site_.resources(), first, after_a_trial), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  EXPECT_EQ(Get(id).result->weights_sha256, undisturbed.result->weights_sha256);
  std::set<int> numbers;
  for (const jobs::TrialDone& done : EventsOf<jobs::TrialDone>(id)) {
    EXPECT_TRUE(numbers.insert(done.trial.number).second) << done.trial.number;
  }
  EXPECT_EQ(numbers.size(), 6u);
}

TEST_F(TrainWorkflowTest, AnotherAttemptOfASolverStartsOverAndEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(Solved(spec_));
  const jobs::Claim first = site_.SubmitAndClaim(Solved(spec_));
  const std::string id = first.lease.job_id;
  const auto after_two_trials = [&] { return EventsOf<jobs::TrialDone>(id).size() == 2; };
  EXPECT_THAT(RunTrainJob(site_.resources(), first, after_two_trials), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256);
  const auto done = EventsOf<jobs::TrialDone>(id);
  ASSERT_EQ(done.size(), undisturbed.result->trials.size());
  for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i].trial.number, static_cast<int>(i) + 1);
}

TEST_F(TrainWorkflowTest, StoppingWorkerLeavesItsJobForAnother) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const auto after_first_epoch = [&] { return !EventsOf<jobs::EpochDone>(id).empty(); };
  EXPECT_THAT(RunTrainJob(site_.resources(), claim, after_first_epoch), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(Get(id).state, State::kTraining);
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  EXPECT_EQ(Get(id).state, State::kSucceeded);
  EXPECT_EQ(Get(id).result->images_computed, 3 * kPerClass);
}

TEST_F(TrainWorkflowTest, CancelledJobStopsAtAStep) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const auto cancel_after_first_epoch = [&] {
    if (EventsOf<jobs::EpochDone>(id).empty()) return false;
    EXPECT_OK(site_.jobs().RequestCancel(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, cancel_after_first_epoch));
  EXPECT_EQ(Get(id).state, State::kCancelled);
  EXPECT_EQ(States(id).back(), State::kCancelled);
  EXPECT_EQ(EventsOf<jobs::EpochDone>(id).size(), 1u);
  EXPECT_THAT(site_.registry().Find({.name = "colours"}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TrainWorkflowTest, PausedAndResumedAtAnyEpochItEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(spec_);
  for (const int pause_after : {1, 2, 4}) {
    jobs::Claim claim = site_.SubmitAndClaim(spec_);
    const std::string id = claim.lease.job_id;
    const auto pause = [&] {
      if (static_cast<int>(EventsOf<jobs::EpochDone>(id).size()) < pause_after) return false;
      EXPECT_OK(site_.jobs().RequestPause(id));
      return true;
    };
    ASSERT_OK(RunTrainJob(site_.resources(), claim, pause));
    EXPECT_EQ(Get(id).state, State::kPaused);
    EXPECT_EQ(Get(id).progress.epoch, pause_after);
    EXPECT_TRUE(std::filesystem::exists(site_.jobs_root() + "/" + id));
    DeleteCheckpointsOfEndedJobs(site_.resources());  // which this is not
    ASSERT_OK(site_.jobs().RequestResume(id));
    ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));

    const jobs::Job job = Get(id);
    ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
    EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256) << "after epoch " << pause_after;
    EXPECT_EQ(job.result->test_loss, undisturbed.result->test_loss);
    const auto epochs = EventsOf<jobs::EpochDone>(id);
    ASSERT_EQ(static_cast<int>(epochs.size()), job.result->epochs_run);
    for (size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i].epoch, static_cast<int>(i) + 1);
  }
}

TEST_F(TrainWorkflowTest, PausedWhileFeaturesAreComputedItGoesOnFromThoseItHas) {
  site_.ImportPictures("many", 200);
  const jobs::TrainSpec spec = TrainingSite::Spec("many");
  const jobs::Claim claim = site_.SubmitAndClaim(spec);
  const std::string id = claim.lease.job_id;
  const auto pause = [&] {
    if (site_.engine() == nullptr || site_.engine()->images() == 0) return false;
    EXPECT_OK(site_.jobs().RequestPause(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, pause));
  EXPECT_THAT(States(id), ElementsAre(State::kQueued, State::kPreparing, State::kPausing, State::kPaused));
  ASSERT_OK(site_.jobs().RequestResume(id));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_GT(job.result->images_from_cache, 0);
  EXPECT_EQ(job.result->weights_sha256, RunToEnd(spec).result->weights_sha256);
}

TEST_F(TrainWorkflowTest, PauseThatComesWhilePublishingPublishesAfterTheResume) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const auto pause_unseen = [&] {
    if (Get(id).state == State::kEvaluating) {
      EXPECT_OK(site_.jobs().RequestPause(id));
    }
    return false;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, pause_unseen));
  EXPECT_EQ(Get(id).state, State::kPaused);
  EXPECT_THAT(site_.registry().Find({.name = "colours"}), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(site_.jobs().RequestResume(id));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  EXPECT_EQ(Get(id).state, State::kSucceeded);
  EXPECT_EQ(Get(id).result->model_version, "models/colours/versions/1");
}

TEST_F(TrainWorkflowTest, CheckpointsOfAJobCancelledWhilePausedAreDeleted) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const auto pause = [&] {
    if (EventsOf<jobs::EpochDone>(id).empty()) return false;
    EXPECT_OK(site_.jobs().RequestPause(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, pause));
  ASSERT_OK(site_.jobs().RequestCancel(id));
  EXPECT_TRUE(std::filesystem::exists(site_.jobs_root() + "/" + id));
  DeleteCheckpointsOfEndedJobs(site_.resources());
  EXPECT_FALSE(std::filesystem::exists(site_.jobs_root() + "/" + id));
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

TEST_F(TrainWorkflowTest, TimeLimitPublishesTheBestEpochSoFar) {
  RunToEnd(spec_);  // the features are there
  jobs::TrainSpec spec = spec_;
  spec.epochs = spec.patience = 1000;
  spec.max_seconds = 1e-9;  // struck before it began: one epoch is done all the same
  const jobs::Job job = RunToEnd(spec);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->stop_reason, "time_limit");
  EXPECT_EQ(job.result->epochs_run, 1);
  EXPECT_EQ(EventsOf<jobs::EpochDone>(job.id).size(), 1u);
  ASSERT_OK_AND_ASSIGN(const registry::ModelVersion version, site_.registry().Find({.name = "colours"}));
  EXPECT_EQ(version.head_sha256, job.result->weights_sha256);
}

TEST_F(TrainWorkflowTest, TimeLimitThatStruckHoldsForALaterAttempt) {
  jobs::TrainSpec spec = spec_;
  RunToEnd(spec_);
  spec.epochs = spec.patience = 1000;
  spec.max_seconds = 1e-9;
  const jobs::Claim first = site_.SubmitAndClaim(spec);
  const std::string id = first.lease.job_id;
  const auto stop_at_evaluating = [&] { return Get(id).state == State::kEvaluating; };
  EXPECT_THAT(RunTrainJob(site_.resources(), first, stop_at_evaluating), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(site_.jobs().GiveBack(first.lease));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  EXPECT_EQ(Get(id).result->stop_reason, "time_limit");
  EXPECT_EQ(Get(id).result->epochs_run, 1);
}

TEST_F(TrainWorkflowTest, TimeLimitBeforeTheFeaturesIsAConfigFailureThatKeepsThem) {
  site_.ImportPictures("many", 200);
  jobs::TrainSpec spec = TrainingSite::Spec("many");
  spec.max_seconds = 1e-9;
  ExpectFailure(RunToEnd(spec), jobs::FailureType::kConfig, "max_duration");
}

TEST_F(TrainWorkflowTest, KeepingTheBestPublishesItAndSaysSo) {
  jobs::TrainSpec spec = spec_;
  spec.epochs = spec.patience = 1000;
  const jobs::Claim claim = site_.SubmitAndClaim(spec);
  const std::string id = claim.lease.job_id;
  const auto finish = [&] {
    if (EventsOf<jobs::EpochDone>(id).size() < 3) return false;
    EXPECT_OK(site_.jobs().RequestFinish(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, Never, finish));
  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->stop_reason, "cancelled_keep_best");
  EXPECT_EQ(job.result->epochs_run, 3);

  spec.epochs = 3;
  EXPECT_EQ(RunToEnd(spec).result->weights_sha256, job.result->weights_sha256);
}

TEST_F(TrainWorkflowTest, KeepingTheBestTrialKeepsThoseToldBeforeAPauseToo) {
  const jobs::Claim claim = site_.SubmitAndClaim(Solved(spec_));
  const std::string id = claim.lease.job_id;
  const auto pause = [&] {
    if (EventsOf<jobs::TrialDone>(id).size() < 3) return false;
    EXPECT_OK(site_.jobs().RequestPause(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, pause));
  ASSERT_EQ(Get(id).state, State::kPaused);
  ASSERT_OK(site_.jobs().RequestFinish(id));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never, [] { return true; }));
  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->stop_reason, "cancelled_keep_best");
  EXPECT_EQ(job.result->trials.size(), 3u);
  EXPECT_TRUE(job.result->trials[2].best);  // weaker penalties fit these classes better
}

TEST_F(TrainWorkflowTest, OutOfMemoryIsTriedAgainWithLessAndWithTheSameOutcome) {
  site_.RunOutOfMemory(2);
  const jobs::Job job = RunToEnd(spec_);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  const auto reduced = EventsOf<jobs::MemoryReduced>(job.id);
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
  EXPECT_EQ(EventsOf<jobs::MemoryReduced>(job.id).size(), 3u);
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
  const auto after_two_epochs = [&] { return EventsOf<jobs::EpochDone>(id).size() == 2; };
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
