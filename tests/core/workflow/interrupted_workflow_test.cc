// Jobs that are stopped, paused, cancelled, taken over or out of time.
#include <filesystem>
#include <optional>
#include <set>

#include "core/base/errors.h"
#include "tests/core/workflow/train_workflow_fixture.h"

namespace graft::workflow {
namespace {

using ::graft::testing::StatusIs;
using ::graft::testing::TrainingSite;
using jobs::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(TrainWorkflowTest, AnotherAttemptGoesOnAndEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(spec_);
  const jobs::Claim first = site_.SubmitAndClaim(spec_);
  const std::string id = first.lease.job_id;
  // After its second epoch this attempt is taken for dead and another one claims the job.
  std::optional<jobs::Claim> second;
  const auto steal = [&] {
    if (!second && site_.EventsOf<jobs::EpochDone>(id).size() == 2) {
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
  EXPECT_EQ(site_.EventsOf<jobs::FeaturesReady>(id).size(), 1u);
  const auto epochs = site_.EventsOf<jobs::EpochDone>(id);
  ASSERT_EQ(static_cast<int>(epochs.size()), job.result->epochs_run);
  for (size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i].epoch, static_cast<int>(i) + 1);
}

TEST_F(TrainWorkflowTest, AnotherAttemptOfASweepStartsOverAndTellsEachCombinationOnce) {
  jobs::TrainSpec spec = Swept(spec_);
  spec.patience = 1;
  const jobs::Job undisturbed = RunToEnd(spec);
  const jobs::Claim first = site_.SubmitAndClaim(spec);
  const std::string id = first.lease.job_id;
  const auto after_a_trial = [&] { return !site_.EventsOf<jobs::TrialDone>(id).empty(); };
  EXPECT_THAT(RunTrainJob(site_.resources(), first, after_a_trial), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  EXPECT_EQ(Get(id).result->weights_sha256, undisturbed.result->weights_sha256);
  std::set<int> numbers;
  for (const jobs::TrialDone& done : site_.EventsOf<jobs::TrialDone>(id)) {
    EXPECT_TRUE(numbers.insert(done.trial.number).second) << done.trial.number;
  }
  EXPECT_EQ(numbers.size(), 6u);
}

TEST_F(TrainWorkflowTest, AnotherAttemptOfASolverStartsOverAndEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(Solved(spec_));
  const jobs::Claim first = site_.SubmitAndClaim(Solved(spec_));
  const std::string id = first.lease.job_id;
  const auto after_two_trials = [&] { return site_.EventsOf<jobs::TrialDone>(id).size() == 2; };
  EXPECT_THAT(RunTrainJob(site_.resources(), first, after_two_trials), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(site_.jobs().ReleaseLeases("cpu"));
  ASSERT_OK(RunTrainJob(site_.resources(), site_.Claim("cpu"), Never));
  const jobs::Job job = Get(id);
  ASSERT_EQ(job.state, State::kSucceeded) << (job.failure ? job.failure->message : "");
  EXPECT_EQ(job.result->weights_sha256, undisturbed.result->weights_sha256);
  const auto done = site_.EventsOf<jobs::TrialDone>(id);
  ASSERT_EQ(done.size(), undisturbed.result->trials.size());
  for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i].trial.number, static_cast<int>(i) + 1);
}

TEST_F(TrainWorkflowTest, StoppingWorkerLeavesItsJobForAnother) {
  const jobs::Claim claim = site_.SubmitAndClaim(spec_);
  const std::string id = claim.lease.job_id;
  const auto after_first_epoch = [&] { return !site_.EventsOf<jobs::EpochDone>(id).empty(); };
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
    if (site_.EventsOf<jobs::EpochDone>(id).empty()) return false;
    EXPECT_OK(site_.jobs().RequestCancel(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, cancel_after_first_epoch));
  EXPECT_EQ(Get(id).state, State::kCancelled);
  EXPECT_EQ(States(id).back(), State::kCancelled);
  EXPECT_EQ(site_.EventsOf<jobs::EpochDone>(id).size(), 1u);
  EXPECT_THAT(site_.registry().Find({.name = "colours"}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TrainWorkflowTest, PausedAndResumedAtAnyEpochItEndsWithTheSameBytes) {
  const jobs::Job undisturbed = RunToEnd(spec_);
  for (const int pause_after : {1, 2, 4}) {
    jobs::Claim claim = site_.SubmitAndClaim(spec_);
    const std::string id = claim.lease.job_id;
    const auto pause = [&] {
      if (static_cast<int>(site_.EventsOf<jobs::EpochDone>(id).size()) < pause_after) return false;
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
    const auto epochs = site_.EventsOf<jobs::EpochDone>(id);
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
    if (site_.EventsOf<jobs::EpochDone>(id).empty()) return false;
    EXPECT_OK(site_.jobs().RequestPause(id));
    return true;
  };
  ASSERT_OK(RunTrainJob(site_.resources(), claim, pause));
  ASSERT_OK(site_.jobs().RequestCancel(id));
  EXPECT_TRUE(std::filesystem::exists(site_.jobs_root() + "/" + id));
  DeleteCheckpointsOfEndedJobs(site_.resources());
  EXPECT_FALSE(std::filesystem::exists(site_.jobs_root() + "/" + id));
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
  EXPECT_EQ(site_.EventsOf<jobs::EpochDone>(job.id).size(), 1u);
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
    if (site_.EventsOf<jobs::EpochDone>(id).size() < 3) return false;
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
    if (site_.EventsOf<jobs::TrialDone>(id).size() < 3) return false;
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

}  // namespace
}  // namespace graft::workflow
