#include <algorithm>

#include "core/base/errors.h"
#include "core/jobs/job_store.h"
#include "core/store/transaction.h"
#include "tests/core/jobs/job_store_fixture.h"

namespace graft::jobs {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

MATCHER(IsLostLease, "is LeaseLost") {
  *result_listener << testing::StatusOf(arg);
  return IsLeaseLost(testing::StatusOf(arg));
}

class JobWorkerTest : public JobStoreFixture {
 protected:
  void WalkTo(const Lease& lease, State last) {
    for (State state : {State::kPreparing, State::kTraining, State::kEvaluating, State::kPublishing}) {
      ASSERT_OK(Move(lease, state));
      if (state == last) return;
    }
  }
};

TEST_F(JobWorkerTest, ClaimsTheOldestOfItsDeviceOnce) {
  ASSERT_OK(jobs_->Submit(SpecFor("cuda:0"), SpecFor("cuda:0"), ""));
  const std::string first = MustSubmit(), second = MustSubmit();
  now_ += absl::Seconds(5);
  ASSERT_OK_AND_ASSIGN(const std::optional<Claim> claim, jobs_->ClaimNext("cpu", "w"));
  ASSERT_TRUE(claim.has_value());
  EXPECT_EQ(claim->job.id, first);
  EXPECT_EQ(claim->lease.attempt, 1);
  EXPECT_EQ(claim->job.start_time, now_);
  EXPECT_EQ(MustGet(first).attempt, 1);
  EXPECT_EQ(MustClaim().job_id, second);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
}

TEST_F(JobWorkerTest, RunsToSuccessWithResultAndEndTime) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kPublishing);
  now_ += absl::Seconds(9);
  const Result result = {.model_version = "models/m/versions/1", .test_accuracy = 0.5};
  ASSERT_OK(jobs_->Append(lease, {StateChanged{.state = State::kSucceeded, .result = result}}));
  const Job job = MustGet(id);
  EXPECT_EQ(job.state, State::kSucceeded);
  EXPECT_EQ(job.end_time, now_);
  ASSERT_TRUE(job.result.has_value());
  EXPECT_EQ(job.result->model_version, "models/m/versions/1");
  EXPECT_THAT(StatesOf(id), ElementsAre(State::kQueued, State::kPreparing, State::kTraining, State::kEvaluating,
                                        State::kPublishing, State::kSucceeded));
}

TEST_F(JobWorkerTest, ProgressFollowsTheEvents) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  ASSERT_OK(jobs_->Append(lease, {StateChanged{.state = State::kPreparing},
                                  FeatureProgress{.images_done = 3, .images_total = 9, .seconds_left = 4}}));
  EXPECT_EQ(MustGet(id).progress.images_done, 3);
  EXPECT_EQ(MustGet(id).progress.images_total, 9);
  EXPECT_EQ(MustGet(id).progress.seconds_left, 4);
  ASSERT_OK(jobs_->Append(
      lease, {FeaturesReady{.images_computed = 6, .images_from_cache = 3}, StateChanged{.state = State::kTraining},
              EpochDone{.epoch = 2, .epochs = 10, .seconds_left = 8}}));
  const Job job = MustGet(id);
  EXPECT_EQ(job.progress.images_done, 9);
  EXPECT_EQ(job.progress.epoch, 2);
  EXPECT_EQ(job.progress.epochs, 10);
  EXPECT_EQ(job.progress.seconds_left, 8);
}

TEST_F(JobWorkerTest, IllegalMoveAppendsNothing) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  EXPECT_THAT(jobs_->Append(lease, {Message{"first"}, StateChanged{.state = State::kSucceeded}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("QUEUED and cannot become SUCCEEDED")));
  EXPECT_EQ(MustGet(id).last_sequence, 1);
}

TEST_F(JobWorkerTest, EndedJobTakesNothingMore) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  const Failure failure = {.type = FailureType::kData, .message = "no photos"};
  ASSERT_OK(jobs_->Append(lease, {StateChanged{.state = State::kFailed, .failure = failure}}));
  EXPECT_EQ(MustGet(id).failure->message, "no photos");
  EXPECT_THAT(jobs_->Append(lease, {Message{"late"}}), IsLostLease());
  EXPECT_THAT(jobs_->Heartbeat(lease), IsLostLease());
  EXPECT_THAT(jobs_->RequestCancel(id), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("FAILED")));
  now_ += absl::Hours(1);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
}

TEST_F(JobWorkerTest, NothingComesAfterTheEventThatEndsTheJob) {
  MustSubmit();
  const Lease lease = MustClaim();
  EXPECT_THAT(jobs_->Append(lease, {StateChanged{.state = State::kFailed}, Message{"late"}}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(MustGet(lease.job_id).state, State::kQueued);
}

TEST_F(JobWorkerTest, HeartbeatKeepsTheLeaseAndItsEndLetsAnotherGoOn) {
  const std::string id = MustSubmit();
  const Lease old = MustClaim();
  WalkTo(old, State::kTraining);
  now_ += absl::Seconds(29);
  EXPECT_THAT(jobs_->Heartbeat(old), IsOkAndHolds(Wish::kNone));
  now_ += absl::Seconds(29);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w2"), FindsNoJob());
  const absl::Time started = MustGet(id).start_time;
  now_ += absl::Seconds(1);
  ASSERT_OK_AND_ASSIGN(const std::optional<Claim> claim, jobs_->ClaimNext("cpu", "w2"));
  ASSERT_TRUE(claim.has_value());
  EXPECT_EQ(claim->lease.attempt, 2);
  EXPECT_EQ(claim->job.state, State::kTraining);
  EXPECT_EQ(claim->job.start_time, started);
  EXPECT_OK(Move(claim->lease, State::kPreparing));
}

TEST_F(JobWorkerTest, WorkerWhoseJobWasClaimedAgainWritesNothing) {
  const std::string id = MustSubmit();
  const Lease old = MustClaim();
  now_ += absl::Seconds(30);
  const Lease current = MustClaim();
  EXPECT_EQ(current.job_id, old.job_id);
  EXPECT_THAT(jobs_->Append(old, {Message{"stale"}}), IsLostLease());
  EXPECT_THAT(Move(old, State::kPreparing), IsLostLease());
  EXPECT_THAT(jobs_->Heartbeat(old), IsLostLease());
  EXPECT_EQ(MustGet(id).last_sequence, 1);
  EXPECT_OK(jobs_->Append(current, {Message{"current"}}));
}

TEST_F(JobWorkerTest, LateWorkerGoesOnWhileNobodyElseClaimed) {
  MustSubmit();
  const Lease lease = MustClaim();
  now_ += absl::Minutes(5);
  EXPECT_OK(Move(lease, State::kPreparing));
  EXPECT_OK(jobs_->Heartbeat(lease));
}

TEST_F(JobWorkerTest, ReleasedLeasesAreClaimableAtOnceOnThatDeviceOnly) {
  const std::string id = MustSubmit();
  const Lease old = MustClaim();
  ASSERT_OK(jobs_->ReleaseLeases("cuda:0"));
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  EXPECT_EQ(MustClaim().job_id, id);
  EXPECT_THAT(jobs_->Heartbeat(old), IsLostLease());
}

TEST_F(JobWorkerTest, CancelOfARunningJobIsARequestThatItsWorkerFinishes) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelling);
  ASSERT_OK(jobs_->RequestCancel(id));
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kCancel));
  EXPECT_OK(jobs_->Append(lease, {EpochDone{.epoch = 1, .epochs = 10}}));
  EXPECT_OK(Move(lease, State::kCancelled));
  EXPECT_THAT(StatesOf(id),
              ElementsAre(State::kQueued, State::kPreparing, State::kTraining, State::kCancelling, State::kCancelled));
}

TEST_F(JobWorkerTest, ClaimedJobThatStillSaysQueuedIsCancelledByItsWorker) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelling);
  EXPECT_TRUE(IsStopRequested(Move(lease, State::kPreparing)));
  EXPECT_OK(Move(lease, State::kCancelled));
}

TEST_F(JobWorkerTest, CancelThatCameFirstBeatsPublishingAndUndoesItsTransaction) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kPublishing);
  ASSERT_OK(jobs_->RequestCancel(id));
  const absl::Status status = database_->Write("publish", [&](store::Transaction& transaction) {
    transaction.sql() << "INSERT INTO models (name, last_number) VALUES ('half', 1)";
    return jobs_->Append(transaction, lease, {StateChanged{.state = State::kSucceeded, .result = Result{}}});
  });
  EXPECT_TRUE(IsStopRequested(status)) << status;
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(database_->Read("look", [](store::Transaction& transaction) {
    int count = -1;
    transaction.sql() << "SELECT COUNT(*) FROM models", soci::into(count);
    EXPECT_EQ(count, 0);
    return absl::OkStatus();
  }));
  EXPECT_OK(Move(lease, State::kCancelled));
}

TEST_F(JobWorkerTest, DeadWorkersCancellingIsFinishedByReleaseOrClaim) {
  const std::string first = MustSubmit(), second = MustSubmit();
  const Lease of_first = MustClaim();
  MustClaim();
  ASSERT_OK(jobs_->RequestCancel(first));
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  EXPECT_EQ(MustGet(first).state, State::kCancelled);
  EXPECT_THAT(jobs_->Append(of_first, {Message{"late"}}), IsLostLease());

  EXPECT_EQ(MustClaim().job_id, second);
  ASSERT_OK(jobs_->RequestCancel(second));
  now_ += absl::Seconds(31);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
  EXPECT_EQ(MustGet(second).state, State::kCancelled);
}

TEST_F(JobWorkerTest, CancelOfARunningJobWithoutAWorkerEndsItAtOnce) {
  const std::string id = MustSubmit();
  WalkTo(MustClaim(), State::kTraining);
  now_ += absl::Seconds(31);
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelled);
}

TEST_F(JobWorkerTest, PauseOfARunningJobIsARequestThatItsWorkerFinishes) {
  const std::string id = MustSubmit(), next = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->Append(lease, {EpochDone{.epoch = 3, .epochs = 10, .seconds_left = 7}}));
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestPause(id));
  EXPECT_EQ(job.state, State::kPausing);
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->RequestPause(id));
  EXPECT_EQ(again.last_sequence, job.last_sequence);
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kPause));
  EXPECT_THAT(jobs_->WishFor(lease), IsOkAndHolds(Wish::kPause));
  EXPECT_TRUE(IsStopRequested(Move(lease, State::kEvaluating)));
  EXPECT_OK(jobs_->Append(lease, {EpochDone{.epoch = 4, .epochs = 10}}));
  EXPECT_OK(Move(lease, State::kPaused));
  EXPECT_EQ(MustGet(id).progress.epoch, 4);
  EXPECT_EQ(MustGet(id).progress.seconds_left, 0);
  EXPECT_THAT(jobs_->Append(lease, {Message{"late"}}), IsLostLease());

  EXPECT_EQ(MustClaim().job_id, next);  // its device is free
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
  ASSERT_OK(jobs_->RequestResume(id));
  EXPECT_THAT(jobs_->Heartbeat(lease), IsLostLease());
  const Lease resumed = MustClaim();
  EXPECT_EQ(resumed.job_id, id);
  EXPECT_EQ(resumed.attempt, 2);
  WalkTo(resumed, State::kTraining);
  EXPECT_EQ(MustGet(id).progress.epoch, 4);
  EXPECT_THAT(StatesOf(id), ElementsAre(State::kQueued, State::kPreparing, State::kTraining, State::kPausing,
                                        State::kPaused, State::kQueued, State::kPreparing, State::kTraining));
}

TEST_F(JobWorkerTest, ResumeWhilePausingQueuesTheJobOnceItHasPaused) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestResume(id));
  EXPECT_EQ(job.state, State::kPausing);
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kPause));
  ASSERT_OK(Move(lease, State::kPaused));
  EXPECT_EQ(MustGet(id).state, State::kQueued);
  EXPECT_THAT(jobs_->Append(lease, {Message{"late"}}), IsLostLease());
  const Lease second = MustClaim();
  EXPECT_EQ(second.attempt, 2);

  // The last word counts.
  WalkTo(second, State::kPreparing);
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK(jobs_->RequestResume(id));
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK(Move(second, State::kPaused));
  EXPECT_EQ(MustGet(id).state, State::kPaused);
}

TEST_F(JobWorkerTest, DeadWorkersPausingIsFinishedByReleaseOrClaim) {
  const std::string first = MustSubmit(), second = MustSubmit();
  const Lease of_first = MustClaim();
  MustClaim();
  ASSERT_OK(jobs_->RequestPause(first));
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  EXPECT_EQ(MustGet(first).state, State::kPaused);
  EXPECT_THAT(jobs_->Append(of_first, {Message{"late"}}), IsLostLease());

  EXPECT_EQ(MustClaim().job_id, second);
  ASSERT_OK(jobs_->RequestPause(second));
  now_ += absl::Seconds(31);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
  EXPECT_EQ(MustGet(second).state, State::kPaused);
}

TEST_F(JobWorkerTest, PauseOfARunningJobWithoutAWorkerPausesAtOnce) {
  const std::string id = MustSubmit();
  WalkTo(MustClaim(), State::kTraining);
  now_ += absl::Seconds(31);
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestPause(id));
  EXPECT_EQ(job.state, State::kPaused);
}

TEST_F(JobWorkerTest, PausingJobCanBeCancelledButNotTheOtherWay) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelling);
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kCancel));
  for (const absl::Status& status : {jobs_->RequestPause(id).status(), jobs_->RequestResume(id).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("being cancelled")));
  }
  EXPECT_TRUE(IsStopRequested(Move(lease, State::kPaused)));
  EXPECT_OK(Move(lease, State::kCancelled));
}

TEST_F(JobWorkerTest, JobGivenBackIsClaimableAtOnceButNotByItsOldWorker) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->GiveBack(lease));
  EXPECT_EQ(MustGet(id).state, State::kTraining);
  EXPECT_THAT(jobs_->Append(lease, {Message{"late"}}), IsLostLease());
  EXPECT_THAT(jobs_->GiveBack(lease), IsLostLease());
  EXPECT_EQ(MustClaim().job_id, id);
}

TEST_F(JobWorkerTest, DeadWorkersJobIsTriedThreeTimesMoreAndThenFailsNamingTheLog) {
  const std::string id = MustSubmit(), next = MustSubmit();
  Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->Append(lease, {EpochDone{.epoch = 7, .epochs = 10}}));
  for (int retry = 1; retry <= 3; ++retry) {
    // Proven by its lock file, or gone without a trace.
    if (retry == 2) {
      now_ += absl::Minutes(1);
    } else {
      ASSERT_OK(jobs_->ReleaseLeases("cpu"));
    }
    lease = MustClaim();
    EXPECT_EQ(lease.job_id, id);
    EXPECT_EQ(MustGet(id).deaths, retry);
  }
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));  // by the server and by the next worker: one death all the same
  EXPECT_EQ(MustClaim().job_id, next);
  const Job job = MustGet(id);
  EXPECT_EQ(job.state, State::kFailed);
  ASSERT_TRUE(job.failure.has_value());
  EXPECT_EQ(job.failure->type, FailureType::kWorker);
  EXPECT_THAT(job.failure->message, AllOf(HasSubstr("died in 4 of 4 attempts"), HasSubstr("TRAINING, after epoch 7"),
                                          HasSubstr("server's log"), HasSubstr(id)));
}

TEST_F(JobWorkerTest, AttemptsThatWereGivenBackStoppedOrPausedAreNoDeaths) {
  const std::string id = MustSubmit();
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(jobs_->GiveBack(MustClaim()));
    MustClaim();
    ASSERT_OK(jobs_->ReleaseLeases("cpu", WorkerEnd::kStopped));
    const Lease lease = MustClaim();
    ASSERT_OK(jobs_->RequestPause(id));
    ASSERT_OK(Move(lease, State::kPaused));
    ASSERT_OK(jobs_->RequestResume(id));
    MustClaim();
    ASSERT_OK(jobs_->RequestPause(id));
    ASSERT_OK(jobs_->ReleaseLeases("cpu"));  // died when it was about to pause
    ASSERT_OK(jobs_->RequestResume(id));
  }
  EXPECT_EQ(MustGet(id).deaths, 0);
  EXPECT_EQ(MustGet(id).attempt, 16);
}

TEST_F(JobWorkerTest, KeepingTheBestNeedsAnEpochAndIsAWishOfARunningJob) {
  const std::string id = MustSubmit();
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no epoch"));
  EXPECT_THAT(jobs_->RequestFinish(id), refused);
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  EXPECT_THAT(jobs_->RequestFinish(id), refused);
  ASSERT_OK(jobs_->Append(lease, {EpochDone{.epoch = 1, .epochs = 10}}));
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestFinish(id));
  EXPECT_EQ(job.state, State::kTraining);
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kFinish));
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->RequestFinish(id));
  EXPECT_EQ(again.last_sequence, job.last_sequence);
  EXPECT_OK(Move(lease, State::kEvaluating));
  EXPECT_OK(Move(lease, State::kPublishing));
  EXPECT_OK(jobs_->Append(lease, {StateChanged{.state = State::kSucceeded, .result = Result{}}}));
  EXPECT_OK(jobs_->RequestFinish(id));  // a repeated call
}

TEST_F(JobWorkerTest, ATrialIsToBeKeptAsAnEpochIs) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->Append(lease, {TrialDone{.trial = {.number = 1}, .trials = 13}}));
  EXPECT_EQ(MustGet(id).progress.trial, 1);
  EXPECT_EQ(MustGet(id).progress.trials, 13);
  ASSERT_OK(jobs_->Append(lease, {PrecisionChosen{.report = {.precision = "f32"}}}));  // starts over
  EXPECT_THAT(jobs_->RequestFinish(id),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no epoch or trial")));
  ASSERT_OK(jobs_->Append(lease, {TrialDone{.trial = {.number = 1}, .trials = 13}}));
  EXPECT_OK(jobs_->RequestFinish(id));
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kFinish));
}

TEST_F(JobWorkerTest, PausedJobIsQueuedForItsBestEpochToBePublished) {
  const std::string id = MustSubmit();
  Lease lease = MustClaim();
  WalkTo(lease, State::kTraining);
  ASSERT_OK(jobs_->Append(lease, {EpochDone{.epoch = 1, .epochs = 10}}));
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK(jobs_->RequestFinish(id));
  EXPECT_THAT(jobs_->Heartbeat(lease), IsOkAndHolds(Wish::kPause));
  ASSERT_OK(Move(lease, State::kPaused));
  EXPECT_EQ(MustGet(id).state, State::kQueued);
  lease = MustClaim();
  EXPECT_THAT(jobs_->WishFor(lease), IsOkAndHolds(Wish::kFinish));
  ASSERT_OK(jobs_->RequestCancel(id));
  EXPECT_THAT(jobs_->WishFor(lease), IsOkAndHolds(Wish::kCancel));
  EXPECT_THAT(jobs_->RequestFinish(id), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cancelled")));
  ASSERT_OK(Move(lease, State::kCancelled));
  EXPECT_THAT(jobs_->RequestFinish(id), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(JobWorkerTest, LongTextsAreCutBetweenCharacters) {
  MustSubmit();
  const Lease lease = MustClaim();
  std::string text = "x";
  for (int i = 0; i < 5000; ++i) text += "ü";
  ASSERT_OK(jobs_->Append(lease, {Message{text}}));
  ASSERT_OK_AND_ASSIGN(const std::vector<Event> events, jobs_->Events(lease.job_id, 1, 1));
  const std::string stored = std::get<Message>(events.at(0).body).text;
  EXPECT_EQ(stored, text.substr(0, 4095));
}

}  // namespace
}  // namespace graft::jobs
