// Two stores on one file, as server and worker are, and many threads on each.
#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/errors.h"
#include "tests/core/jobs/job_store_fixture.h"

namespace graft::jobs {
namespace {

class TwoProcessesTest : public JobStoreFixture {
 protected:
  void SetUp() override {
    JobStoreFixture::SetUp();
    ASSERT_OK_AND_ASSIGN(other_database_, store::Database::Open(path_));
    other_jobs_ = std::make_unique<JobStore>(other_database_.get(), Options());
  }

  JobStore& StoreOf(int thread) { return thread % 2 == 0 ? *jobs_ : *other_jobs_; }

  static void OnThreads(int count, const std::function<void(int)>& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<store::Database> other_database_;
  std::unique_ptr<JobStore> other_jobs_;
};

TEST_F(TwoProcessesTest, SameRequestIdAtOnceMakesOneJob) {
  absl::Mutex mutex;
  std::set<std::string> ids;
  OnThreads(4, [&](int thread) {
    const absl::StatusOr<Job> job = StoreOf(thread).Submit(SpecFor("cpu"), SpecFor("cpu"), "same");
    ASSERT_OK(job);
    absl::MutexLock lock(&mutex);
    ids.insert(job->id);
  });
  EXPECT_EQ(ids.size(), 1u);
}

TEST_F(TwoProcessesTest, EveryJobIsClaimedByExactlyOne) {
  constexpr int kJobs = 40;
  for (int i = 0; i < kJobs; ++i) MustSubmit();
  absl::Mutex mutex;
  std::multiset<std::string> claimed;
  OnThreads(4, [&](int thread) {
    while (true) {
      const absl::StatusOr<std::optional<Claim>> claim = StoreOf(thread).ClaimNext("cpu", absl::StrCat(thread));
      ASSERT_OK(claim);
      if (!claim->has_value()) return;
      absl::MutexLock lock(&mutex);
      claimed.insert((*claim)->job.id);
    }
  });
  EXPECT_EQ(claimed.size(), static_cast<size_t>(kJobs));
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), static_cast<size_t>(kJobs));
}

// Users of two servers pause, resume and cancel what two workers run.
TEST_F(TwoProcessesTest, JobsPausedAndResumedAtRandomAllEndOnceAndNoneIsHeldTwice) {
  constexpr int kJobs = 6, kRequests = 60;
  std::vector<std::string> ids;
  for (int i = 0; i < kJobs; ++i) ids.push_back(MustSubmit());
  std::atomic<int> users = 2;
  OnThreads(4, [&](int thread) {
    JobStore& jobs = StoreOf(thread / 2);
    if (thread % 2 == 0) {
      std::mt19937 random(static_cast<uint32_t>(thread));
      for (int i = 0; i < kRequests; ++i) {
        const std::string& id = ids[random() % ids.size()];
        const absl::Status status = (random() % 3 == 0 ? jobs.RequestResume(id) : jobs.RequestPause(id)).status();
        EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
      }
      for (const std::string& id : ids) EXPECT_TRUE(jobs.RequestResume(id).ok() || IsTerminal(MustGet(id).state));
      --users;
      return;
    }
    while (true) {
      const bool all_resumed = users == 0;
      const absl::StatusOr<std::optional<Claim>> claim = jobs.ClaimNext("cpu", "w");
      ASSERT_OK(claim);
      if (!claim->has_value()) {
        if (all_resumed) return;
        continue;
      }
      const Lease lease = (*claim)->lease;
      for (int step = 0; step < 3; ++step) {
        ASSERT_OK_AND_ASSIGN(const Wish wish, jobs.WishFor(lease));
        if (wish == Wish::kNone) {
          EXPECT_OK(jobs.Append(lease, {Message{"step"}}));
        }
      }
      const absl::Status ended = jobs.Append(lease, {StateChanged{.state = State::kPreparing}});
      if (IsStopRequested(ended)) {
        EXPECT_OK(jobs.Append(lease, {StateChanged{.state = State::kPaused}}));
        continue;
      }
      EXPECT_OK(ended);
      const absl::Status failed = jobs.Append(lease, {StateChanged{.state = State::kFailed}});
      EXPECT_OK(failed);
    }
  });
  for (const std::string& id : ids) {
    const std::vector<State> states = StatesOf(id);
    EXPECT_EQ(states.back(), State::kFailed);
    EXPECT_EQ(std::count_if(states.begin(), states.end(), IsTerminal), 1);
  }
}

TEST_F(TwoProcessesTest, SequencesStayDenseAndTheFeedSkipsNothingUnderHammering) {
  constexpr int kSubmits = 10, kAppends = 10;
  std::atomic<int> submitters = 2;
  std::atomic<bool> done = false;
  // Follows like a change feed does, while everybody writes.
  std::vector<int64_t> followed;
  std::thread follower([&] {
    int64_t position = 0;
    for (bool last = false; !last;) {
      last = done.load();
      const absl::StatusOr<std::vector<FeedItem>> items = jobs_->FeedAfter(position, 7);
      ASSERT_OK(items);
      for (const FeedItem& item : *items) followed.push_back(position = item.position);
      if (!items->empty()) last = false;
    }
  });
  OnThreads(4, [&](int thread) {
    JobStore& jobs = StoreOf(thread / 2);
    if (thread % 2 == 0) {
      for (int i = 0; i < kSubmits; ++i) EXPECT_OK(jobs.Submit(SpecFor("cpu"), SpecFor("cpu"), ""));
      --submitters;
      return;
    }
    while (true) {
      const bool all_submitted = submitters == 0;
      const absl::StatusOr<std::optional<Claim>> claim = jobs.ClaimNext("cpu", "w");
      ASSERT_OK(claim);
      if (!claim->has_value()) {
        if (all_submitted) return;
        continue;
      }
      for (int i = 0; i < kAppends; ++i) EXPECT_OK(jobs.Append((*claim)->lease, {Message{"a"}, Message{"b"}}));
      EXPECT_OK(jobs.Append((*claim)->lease, {StateChanged{.state = State::kFailed}}));
    }
  });
  done = true;
  follower.join();

  ASSERT_OK_AND_ASSIGN(const std::vector<Job> all, jobs_->List("", 1000));
  EXPECT_EQ(all.size(), 2u * kSubmits);
  for (const Job& job : all) {
    EXPECT_EQ(job.last_sequence, 2 + 2 * kAppends);
    EXPECT_THAT(StatesOf(job.id), ::testing::ElementsAre(State::kQueued, State::kFailed));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<FeedItem> feed, jobs_->FeedAfter(0, 1000000));
  std::vector<int64_t> positions;
  for (const FeedItem& item : feed) positions.push_back(item.position);
  EXPECT_EQ(followed, positions);
  EXPECT_EQ(positions.size(), all.size() * (2 + 2 * kAppends));
}

}  // namespace
}  // namespace graft::jobs
