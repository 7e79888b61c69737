#include "client/api/job_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/graft_client.h"
#include "tests/client/fake_server.h"
#include "tests/testing/status_matchers.h"

namespace graft::client {
namespace {

using graft::testing::FakeServer;
using graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JobWatchTest : public ::testing::Test {
 protected:
  JobWatchTest() {
    v1::Job job;
    job.set_name("jobs/1");
    std::vector<v1::JobEvent> events(20);
    for (auto& event : events) event.mutable_message()->set_text("step");
    events.back().mutable_state_changed()->set_state(v1::JOB_STATE_SUCCEEDED);
    server_.training().SetJob(job, events);
    observer_.on_event = [this](const v1::JobEvent& event) { seen_.push_back(event.sequence()); };
    observer_.on_reconnecting = [this](const absl::Status&) { ++reconnects_; };
  }

  absl::Status Watch(int after_sequence, Cancellation* cancellation = nullptr) {
    ClientOptions options;
    options.retry.initial_delay = absl::Milliseconds(1);
    options.retry.max_delay = absl::Milliseconds(5);
    return GraftClient(Connect(server_.address()), options).WatchJob("jobs/1", after_sequence, observer_, cancellation);
  }

  static std::vector<int> Sequences(int first, int last) {
    std::vector<int> sequences(static_cast<size_t>(last - first + 1));
    std::iota(sequences.begin(), sequences.end(), first);
    return sequences;
  }

  FakeServer server_;
  WatchObserver observer_;
  std::vector<int> seen_;
  int reconnects_ = 0;
};

TEST_F(JobWatchTest, ShowsEveryEventOnce) {
  ASSERT_OK(Watch(0));
  EXPECT_THAT(seen_, ElementsAreArray(Sequences(1, 20)));
  EXPECT_EQ(reconnects_, 0);
}

TEST_F(JobWatchTest, StartsAfterTheGivenSequence) {
  ASSERT_OK(Watch(17));
  EXPECT_THAT(seen_, ElementsAre(18, 19, 20));
}

TEST_F(JobWatchTest, LosesAndRepeatsNothingOverBrokenStreams) {
  server_.training().BreakWatchesAfterEvents({3, 0, 1, 7, 0});
  ASSERT_OK(Watch(0));
  EXPECT_THAT(seen_, ElementsAreArray(Sequences(1, 20)));
  EXPECT_THAT(server_.training().watched_after(), ElementsAre(0, 3, 3, 4, 11, 11));
  EXPECT_EQ(reconnects_, 5);
}

TEST_F(JobWatchTest, DropsEventsThatTheServerRepeats) {
  server_.training().RepeatEvents(2);
  server_.training().BreakWatchesAfterEvents({5, 6});
  ASSERT_OK(Watch(0));
  EXPECT_THAT(seen_, ElementsAreArray(Sequences(1, 20)));
}

TEST_F(JobWatchTest, PassesOverEventsThatAreKeptNoLonger) {
  server_.training().LeaveOutEvent(5);
  ASSERT_OK(Watch(0));
  std::vector<int> kept = Sequences(1, 20);
  kept.erase(kept.begin() + 4);
  EXPECT_EQ(seen_, kept);
}

// gRPC itself would notice after five seconds.
TEST_F(JobWatchTest, FindsARestartedServerAtOnce) {
  server_.training().KeepWatchesOpen();
  absl::Time back = absl::InfiniteFuture();
  observer_.on_event = [&](const v1::JobEvent& event) {
    seen_.push_back(event.sequence());
    if (seen_.size() == 20) server_.Stop();
  };
  observer_.on_reconnecting = [&](const absl::Status&) {
    if (++reconnects_ != 5) return;
    server_.training().EndWatches();
    server_.Start();
    back = absl::Now();
  };
  ASSERT_OK(Watch(0));
  EXPECT_LT(absl::Now() - back, absl::Seconds(4));
  EXPECT_THAT(seen_, ElementsAreArray(Sequences(1, 20)));
}

TEST_F(JobWatchTest, GivesUpOnAServerThatNeverAnswers) {
  server_.training().BreakWatchesAfterEvents(std::vector<int>(100, 0));
  EXPECT_THAT(Watch(0), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(seen_, IsEmpty());
  EXPECT_EQ(reconnects_, RetryPolicy().max_attempts - 1);
}

TEST_F(JobWatchTest, CancellationEndsAnOpenWatch) {
  server_.training().KeepWatchesOpen();
  Cancellation cancellation;
  observer_.on_event = [&](const v1::JobEvent& event) {
    if (event.sequence() == 20) cancellation.Cancel();
  };
  EXPECT_THAT(Watch(0, &cancellation), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Watch(0, &cancellation), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace graft::client
