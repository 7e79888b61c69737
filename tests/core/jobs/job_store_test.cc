#include "core/jobs/job_store.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "tests/core/jobs/job_store_fixture.h"

namespace graft::jobs {
namespace {

using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class JobStoreTest : public JobStoreFixture {
 protected:
  JobStoreOptions Options() override {
    JobStoreOptions options = JobStoreFixture::Options();
    options.max_queued = 5;
    options.max_queued_per_principal = 2;
    return options;
  }
};

std::vector<std::string> Ids(const std::vector<Job>& jobs) {
  std::vector<std::string> ids;
  for (const Job& job : jobs) ids.push_back(job.id);
  return ids;
}

TEST_F(JobStoreTest, SubmittedJobIsQueuedWithBothSpecsAndItsFirstEvent) {
  TrainSpec requested;
  requested.dataset = "animals";
  ASSERT_OK_AND_ASSIGN(const Job submitted, jobs_->Submit(requested, SpecFor("cpu"), ""));
  const Job job = MustGet(submitted.id);
  EXPECT_EQ(job.state, State::kQueued);
  EXPECT_EQ(job.requested, requested);
  EXPECT_EQ(job.spec, SpecFor("cpu"));
  EXPECT_EQ(job.create_time, now_);
  EXPECT_EQ(job.start_time, absl::InfinitePast());
  EXPECT_EQ(job.end_time, absl::InfinitePast());
  EXPECT_EQ(job.last_sequence, 1);
  EXPECT_EQ(submitted.last_sequence, 1);
  EXPECT_EQ(job.attempt, 0);
  EXPECT_THAT(StatesOf(job.id), ElementsAre(State::kQueued));
}

TEST_F(JobStoreTest, QueuePositionCountsTheJobsOfTheSameDevice) {
  const std::string first = MustSubmit();
  ASSERT_OK_AND_ASSIGN(const Job other_device, jobs_->Submit(SpecFor("cuda:0"), SpecFor("cuda:0"), ""));
  const std::string second = MustSubmit();
  EXPECT_EQ(MustGet(first).queue_position, 1);
  EXPECT_EQ(other_device.queue_position, 1);
  EXPECT_EQ(MustGet(second).queue_position, 2);
  ASSERT_OK(jobs_->RequestCancel(first));
  EXPECT_EQ(MustGet(second).queue_position, 1);
  EXPECT_EQ(MustGet(first).queue_position, 0);
}

TEST_F(JobStoreTest, SameRequestIdReturnsTheSameJobWhateverBecameOfIt) {
  ASSERT_OK_AND_ASSIGN(const Job first, jobs_->Submit(SpecFor("cpu"), SpecFor("cpu"), "r1"));
  ASSERT_OK(jobs_->RequestCancel(first.id));
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->Submit(SpecFor("cpu"), SpecFor("cuda:0"), "r1"));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.state, State::kCancelled);
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> all, jobs_->List("", 10));
  EXPECT_EQ(all.size(), 1u);
}

TEST_F(JobStoreTest, RequestIdOfAnotherSpecIsRefused) {
  ASSERT_OK(jobs_->Submit(SpecFor("cpu"), SpecFor("cpu"), "r1"));
  EXPECT_THAT(jobs_->Submit(SpecFor("cuda:0"), SpecFor("cuda:0"), "r1"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("r1")));
  EXPECT_THAT(jobs_->Submit(SpecFor("cpu"), SpecFor("cpu"), std::string(129, 'r')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("request_id")));
}

TEST_F(JobStoreTest, FullQueueSaysRetryLater) {
  for (int i = 0; i < 5; ++i) MustSubmit();
  const absl::Status status = jobs_->Submit(SpecFor("cpu"), SpecFor("cpu"), "").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("5 jobs wait")));
  ASSERT_TRUE(DetailOf(status).has_value());
  EXPECT_TRUE(std::holds_alternative<RetryDetail>(*DetailOf(status)));
}

TEST_F(JobStoreTest, OnePrincipalHasSoManyJobsWaiting) {
  ASSERT_OK_AND_ASSIGN(const Job first, jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"));
  ASSERT_OK(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"));
  EXPECT_THAT(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 jobs of ann")));
  ASSERT_OK(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "bob"));
  ASSERT_OK(jobs_->RequestCancel(first.id));
  EXPECT_OK(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann")) << "one of hers waits no longer";
  EXPECT_OK(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "")) << "nobody's";
}

TEST_F(JobStoreTest, PausedJobsCountAsWaiting) {
  ASSERT_OK_AND_ASSIGN(const Job paused, jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"));
  ASSERT_OK(jobs_->RequestPause(paused.id));
  ASSERT_OK(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"));
  EXPECT_THAT(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "", "ann"), StatusIs(absl::StatusCode::kResourceExhausted));
}

class EventLimitsTest : public JobStoreFixture {
 protected:
  JobStoreOptions Options() override {
    JobStoreOptions options = JobStoreFixture::Options();
    options.max_events_per_job = 5;
    options.max_event_age = absl::Hours(24);
    return options;
  }
  std::vector<int> Sequences(const std::string& id) {
    std::vector<int> sequences;
    const auto events = jobs_->Events(id, 0, 100);
    EXPECT_OK(events);
    for (const Event& event : *events) sequences.push_back(event.sequence);
    return sequences;
  }
};

TEST_F(EventLimitsTest, OldProgressIsRemoved) {
  const std::string id = MustSubmit(), other = MustSubmit();
  const Lease lease = MustClaim();
  const FeatureProgress progress{.images_done = 1, .images_total = 9};
  ASSERT_OK(jobs_->Append(lease, {progress, MemoryReduced{.reason = "kept"}, progress}));
  EXPECT_THAT(Sequences(id), ElementsAre(1, 2, 3, 4));
  ASSERT_OK(jobs_->Append(lease, {progress}));
  EXPECT_THAT(Sequences(id), ElementsAre(1, 2, 3, 4, 5));
  ASSERT_OK(jobs_->Append(lease, {progress}));
  EXPECT_THAT(Sequences(id), ElementsAre(1, 2, 3, 4, 5, 6)) << "the first is no progress";
  ASSERT_OK(jobs_->Append(lease, {progress}));
  EXPECT_THAT(Sequences(id), ElementsAre(1, 3, 4, 5, 6, 7));
  ASSERT_OK(jobs_->Append(lease, {progress, progress}));
  EXPECT_THAT(Sequences(id), ElementsAre(1, 3, 5, 6, 7, 8, 9)) << "another attempt needs to know of 3";
  EXPECT_THAT(Sequences(other), ElementsAre(1));
}

TEST_F(EventLimitsTest, LongAfterTheEndTheLastOneStays) {
  const std::string ended = MustSubmit();
  ASSERT_OK(jobs_->RequestCancel(ended));
  const std::string waiting = MustSubmit();
  ASSERT_OK(jobs_->RequestPause(waiting));
  now_ += absl::Hours(24);
  EXPECT_THAT(jobs_->TrimEvents(), ::graft::testing::IsOkAndHolds(0));
  now_ += absl::Seconds(1);
  EXPECT_THAT(jobs_->TrimEvents(), ::graft::testing::IsOkAndHolds(1));
  EXPECT_THAT(Sequences(ended), ElementsAre(2));
  EXPECT_THAT(Sequences(waiting), ElementsAre(1, 2)) << "it has not ended";
  EXPECT_THAT(jobs_->TrimEvents(), ::graft::testing::IsOkAndHolds(0));
}

TEST_F(JobStoreTest, ARequestIdIsItsPrincipals) {
  ASSERT_OK_AND_ASSIGN(const Job first, jobs_->Submit(TrainSpec(), SpecFor("cpu"), "r", "ann"));
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->Submit(TrainSpec(), SpecFor("cpu"), "r", "ann"));
  EXPECT_EQ(again.id, first.id);
  EXPECT_THAT(jobs_->Submit(TrainSpec(), SpecFor("cpu"), "r", "bob"), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(JobStoreTest, ListIsNewestFirstAndPages) {
  const std::string a = MustSubmit(), b = MustSubmit(), c = MustSubmit();
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> page, jobs_->List("", 2));
  EXPECT_THAT(Ids(page), ElementsAre(c, b));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> rest, jobs_->List(b, 2));
  EXPECT_THAT(Ids(rest), ElementsAre(a));
  EXPECT_THAT(jobs_->List("nonsense", 2), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token")));
}

TEST_F(JobStoreTest, CountsByState) {
  MustSubmit();
  MustSubmit();
  ASSERT_OK(jobs_->RequestCancel(MustSubmit()));
  ASSERT_OK_AND_ASSIGN(const auto counts, jobs_->CountByState());
  EXPECT_THAT(counts, ElementsAre(Pair(State::kQueued, 2), Pair(State::kCancelled, 1)));
}

TEST_F(JobStoreTest, UnknownJobIsNotFound) {
  for (const absl::Status& status :
       {jobs_->Get("nope").status(), jobs_->RequestCancel("nope").status(), jobs_->RequestPause("nope").status(),
        jobs_->RequestResume("nope").status(), jobs_->Events("nope", 0, 1).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("job 'nope'")));
  }
}

TEST_F(JobStoreTest, CancelledQueuedJobNeverRuns) {
  const std::string id = MustSubmit();
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelled);
  EXPECT_TRUE(job.cancel_requested);
  EXPECT_EQ(job.end_time, now_);
  EXPECT_THAT(jobs_->ClaimNext("cpu", "w"), FindsNoJob());
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->RequestCancel(id));
  EXPECT_EQ(again.last_sequence, job.last_sequence);
  EXPECT_THAT(StatesOf(id), ElementsAre(State::kQueued, State::kCancelled));
}

TEST_F(JobStoreTest, PausedQueuedJobDoesNotRunUntilResumedAndKeepsItsPlace) {
  const std::string first = MustSubmit(), second = MustSubmit();
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestPause(first));
  EXPECT_EQ(job.state, State::kPaused);
  EXPECT_EQ(job.end_time, absl::InfinitePast());
  EXPECT_EQ(MustGet(second).queue_position, 1);
  ASSERT_OK(jobs_->RequestPause(first));
  now_ += absl::Hours(24);
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  EXPECT_EQ(MustGet(first).state, State::kPaused);

  ASSERT_OK_AND_ASSIGN(const Job resumed, jobs_->RequestResume(first));
  EXPECT_EQ(resumed.state, State::kQueued);
  EXPECT_EQ(resumed.queue_position, 1);
  ASSERT_OK_AND_ASSIGN(const Job again, jobs_->RequestResume(first));
  EXPECT_EQ(again.last_sequence, resumed.last_sequence);
  EXPECT_EQ(MustClaim().job_id, first);
  EXPECT_THAT(StatesOf(first), ElementsAre(State::kQueued, State::kPaused, State::kQueued));
}

TEST_F(JobStoreTest, PausedJobIsCancelledAtOnce) {
  const std::string id = MustSubmit();
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK_AND_ASSIGN(const Job job, jobs_->RequestCancel(id));
  EXPECT_EQ(job.state, State::kCancelled);
  EXPECT_THAT(StatesOf(id), ElementsAre(State::kQueued, State::kPaused, State::kCancelled));
  for (const absl::Status& status : {jobs_->RequestPause(id).status(), jobs_->RequestResume(id).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has ended already (CANCELLED)")));
  }
}

TEST_F(JobStoreTest, QueueIsOrderedByPriorityThenAge) {
  const std::string low = MustSubmit("low"), first = MustSubmit(), second = MustSubmit();
  const std::string high = MustSubmit("high"), old = MustSubmit("");  // from before there were priorities
  const std::vector<std::string> order = {high, first, second, old, low};
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> unfinished, jobs_->Unfinished());
  EXPECT_EQ(Ids(unfinished), order);
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(MustGet(order[i]).queue_position, static_cast<int>(i) + 1);
  for (const std::string& id : order) EXPECT_EQ(MustClaim().job_id, id);
}

TEST_F(JobStoreTest, BegunJobGoesOnBeforeOneOfHigherPriority) {
  const std::string begun = MustSubmit("low");
  ASSERT_OK(Move(MustClaim(), State::kPreparing));
  const std::string high = MustSubmit("high");
  ASSERT_OK(jobs_->ReleaseLeases("cpu"));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> unfinished, jobs_->Unfinished());
  EXPECT_THAT(Ids(unfinished), ElementsAre(begun, high));
  EXPECT_EQ(MustClaim().job_id, begun);
  EXPECT_EQ(MustClaim().job_id, high);
}

TEST_F(JobStoreTest, UnfinishedAndSucceededJobsAreToldApart) {
  const std::string failed = MustSubmit();
  ASSERT_OK(Move(MustClaim(), State::kFailed));
  const std::string succeeded = MustSubmit();
  const Lease lease = MustClaim();
  for (const State state : {State::kPreparing, State::kTraining, State::kEvaluating, State::kPublishing}) {
    ASSERT_OK(Move(lease, state));
  }
  ASSERT_OK(jobs_->Append(lease, {StateChanged{.state = State::kSucceeded, .result = Result{}}}));
  const std::string paused = MustSubmit();
  ASSERT_OK(jobs_->RequestPause(paused));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> unfinished, jobs_->Unfinished());
  EXPECT_THAT(Ids(unfinished), ElementsAre(paused));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> past, jobs_->LastSucceeded("cpu", 5));
  EXPECT_THAT(Ids(past), ElementsAre(succeeded));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> elsewhere, jobs_->LastSucceeded("cuda:0", 5));
  EXPECT_THAT(Ids(elsewhere), IsEmpty());
}

TEST_F(JobStoreTest, WorkIsTheTimeThatWorkersHadTheJobOverAllAttempts) {
  const std::string id = MustSubmit();
  now_ += absl::Minutes(5);  // waits
  const Lease first = MustClaim();
  now_ += absl::Seconds(5);
  ASSERT_OK(jobs_->Heartbeat(first));
  now_ += absl::Seconds(2);
  ASSERT_OK(Move(first, State::kPreparing));
  now_ += absl::Seconds(1);
  ASSERT_OK(jobs_->RequestPause(id));
  ASSERT_OK(Move(first, State::kPaused));
  EXPECT_EQ(MustGet(id).worked, absl::Seconds(8));
  now_ += absl::Minutes(5);
  ASSERT_OK(jobs_->RequestResume(id));
  const Lease second = MustClaim();
  EXPECT_EQ(MustGet(id).worked, absl::Seconds(8));
  now_ += absl::Seconds(3);
  ASSERT_OK(jobs_->GiveBack(second));
  EXPECT_EQ(MustGet(id).worked, absl::Seconds(11));
}

TEST_F(JobStoreTest, EventsAreReadAfterASequenceAndUpToALimit) {
  const std::string id = MustSubmit();
  const Lease lease = MustClaim();
  ASSERT_OK(jobs_->Append(lease, {Message{"a"}, Message{"b"}, Message{"c"}}));
  ASSERT_OK_AND_ASSIGN(const std::vector<Event> events, jobs_->Events(id, 1, 2));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].sequence, 2);
  EXPECT_EQ(std::get<Message>(events[1].body).text, "b");
  EXPECT_EQ(events[0].time, now_);
  ASSERT_OK_AND_ASSIGN(const std::vector<Event> none, jobs_->Events(id, 4, 2));
  EXPECT_THAT(none, IsEmpty());
}

TEST_F(JobStoreTest, FeedHoldsTheEventsOfAllJobsInOrder) {
  const std::string a = MustSubmit(), b = MustSubmit();
  ASSERT_OK_AND_ASSIGN(const int64_t middle, jobs_->FeedEnd());
  ASSERT_OK(jobs_->RequestCancel(b));
  ASSERT_OK(jobs_->RequestCancel(a));
  ASSERT_OK_AND_ASSIGN(const std::vector<FeedItem> items, jobs_->FeedAfter(middle, 10));
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].job_id, b);
  EXPECT_EQ(items[1].job_id, a);
  EXPECT_LT(items[0].position, items[1].position);
  EXPECT_THAT(jobs_->FeedEnd(), testing::IsOkAndHolds(items[1].position));
}

}  // namespace
}  // namespace graft::jobs
