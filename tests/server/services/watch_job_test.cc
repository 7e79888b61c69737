#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using ::testing::ElementsAre;

// One open WatchJob.
class Watch {
 public:
  Watch(v1::TrainingService::Stub& stub, const std::string& name, int after,
        std::unique_ptr<grpc::ClientContext> context)
      : context_(std::move(context)) {
    v1::WatchJobRequest request;
    request.set_name(name);
    request.set_after_sequence(after);
    reader_ = stub.WatchJob(context_.get(), request);
  }
  // Its sequence, or 0 at the end.
  int Next() {
    v1::JobEvent event;
    return reader_->Read(&event) ? event.sequence() : 0;
  }
  std::vector<int> Rest() {
    std::vector<int> sequences;
    while (const int sequence = Next()) sequences.push_back(sequence);
    return sequences;
  }
  absl::Status Finish() { return FromGrpcStatus(reader_->Finish()); }
  void Cancel() { context_->TryCancel(); }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::JobEvent>> reader_;
};

class WatchJobTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ASSERT_OK_AND_ASSIGN(const v1::Job job, SubmitJob());
    name_ = job.name();
    ASSERT_OK_AND_ASSIGN(auto claim, job_store_->ClaimNext("cpu", "test"));
    ASSERT_TRUE(claim.has_value());
    lease_ = claim->lease;
    ASSERT_OK(job_store_->Append(lease_, {jobs::StateChanged{.state = jobs::State::kPreparing}}));
    ASSERT_OK_AND_ASSIGN(const jobs::Job now, job_store_->Get(job.name().substr(5)));
    last_ = now.last_sequence;
  }
  void Append(int count) {
    const std::vector<jobs::EventBody> bodies(static_cast<size_t>(count), jobs::Message{"hello"});
    ASSERT_OK(job_store_->Append(lease_, bodies));
    last_ += count;
  }
  void Fail() {
    ASSERT_OK(job_store_->Append(
        lease_,
        {jobs::StateChanged{.state = jobs::State::kFailed, .failure = jobs::Failure{jobs::FailureType::kConfig, ""}}}));
    ++last_;
  }
  Watch Open(int after) { return Watch(*training_, name_, after, Context()); }
  static std::vector<int> From(int first, int last) {
    std::vector<int> numbers;
    for (int i = first; i <= last; ++i) numbers.push_back(i);
    return numbers;
  }

  std::string name_;
  jobs::Lease lease_;
  int last_ = 0;
};

TEST_F(WatchJobTest, ReplaysAFinishedJobAndEnds) {
  Append(300);  // more than the store is asked for at once
  Fail();
  Watch watch = Open(0);
  EXPECT_EQ(watch.Rest(), From(1, last_));
  EXPECT_OK(watch.Finish());
}

TEST_F(WatchJobTest, WhatWasRemovedIsPassedOver) {
  Append(300);
  Fail();
  jobs::JobStore later(database_.get(), {.now = [] { return absl::Now() + absl::Hours(24 * 31); }});
  ASSERT_OK(later.TrimEvents());
  Watch watch = Open(0);
  EXPECT_THAT(watch.Rest(), ElementsAre(last_));
  EXPECT_OK(watch.Finish());
}

TEST_F(WatchJobTest, FollowsWhatIsCommittedLater) {
  Watch watch = Open(0);
  for (int i = 1; i <= last_; ++i) EXPECT_EQ(watch.Next(), i);
  for (int i = 0; i < 20; ++i) {
    Append(1);
    EXPECT_EQ(watch.Next(), last_);
  }
  Fail();
  EXPECT_EQ(watch.Next(), last_);
  EXPECT_EQ(watch.Next(), 0);
  EXPECT_OK(watch.Finish());
}

TEST_F(WatchJobTest, GoesOnThroughAPause) {
  Watch watch = Open(0);
  ASSERT_OK(job_store_->RequestPause(name_.substr(5)));
  ASSERT_OK(job_store_->Append(lease_, {jobs::StateChanged{.state = jobs::State::kPaused}}));
  last_ += 2;
  Watch opened_while_paused = Open(last_);
  for (int i = 1; i <= last_; ++i) EXPECT_EQ(watch.Next(), i);
  ASSERT_OK(job_store_->RequestResume(name_.substr(5)));
  ASSERT_OK_AND_ASSIGN(const auto claim, job_store_->ClaimNext("cpu", "test"));
  ASSERT_TRUE(claim.has_value());
  lease_ = claim->lease;
  ++last_;
  Fail();
  EXPECT_THAT(watch.Rest(), ElementsAre(last_ - 1, last_));
  EXPECT_THAT(opened_while_paused.Rest(), ElementsAre(last_ - 1, last_));
  EXPECT_OK(watch.Finish());
}

TEST_F(WatchJobTest, ResumesAfterASequence) {
  Append(10);
  Fail();
  Watch watch = Open(last_ - 2);
  EXPECT_THAT(watch.Rest(), ElementsAre(last_ - 1, last_));
  EXPECT_OK(watch.Finish());
  Watch nothing_left = Open(last_);
  EXPECT_THAT(nothing_left.Rest(), ElementsAre());
  EXPECT_OK(nothing_left.Finish());
}

TEST_F(WatchJobTest, SequenceNotReachedYetIsInvalid) {
  Watch beyond = Open(last_ + 1);
  EXPECT_EQ(beyond.Next(), 0);
  EXPECT_THAT(beyond.Finish(), StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("after_sequence")));
  Watch unknown(*training_, "jobs/nosuchjob", 0, Context());
  EXPECT_EQ(unknown.Next(), 0);
  EXPECT_THAT(unknown.Finish(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(WatchJobTest, ManyWatchersOfABusyJobGetEveryEventOnce) {
  constexpr int kWatchers = 8;
  std::vector<std::vector<int>> got(kWatchers);
  std::vector<absl::Status> ended(kWatchers, absl::UnknownError("did not end"));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kWatchers; ++i) {
    threads.emplace_back([&, i] {
      Watch watch = Open(0);
      got[i] = watch.Rest();
      ended[i] = watch.Finish();
    });
  }
  for (int i = 0; i < 40; ++i) Append(25);
  Fail();
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < kWatchers; ++i) {
    EXPECT_EQ(got[i], From(1, last_));
    EXPECT_OK(ended[i]);
  }
}

TEST_F(WatchJobTest, SlowReaderHoldsUpNobodyAndMissesNothing) {
  Watch slow = Open(0);
  EXPECT_EQ(slow.Next(), 1);
  for (int i = 0; i < 40; ++i) Append(100);  // far beyond its buffer, and its HTTP/2 window
  Fail();
  Watch quick = Open(0);
  EXPECT_EQ(quick.Rest(), From(1, last_));
  EXPECT_EQ(slow.Rest(), From(2, last_));
  EXPECT_OK(slow.Finish());
}

TEST_F(WatchJobTest, CancelledWatchEnds) {
  Watch watch = Open(0);
  EXPECT_EQ(watch.Next(), 1);
  watch.Cancel();
  watch.Rest();
  EXPECT_THAT(watch.Finish(), StatusIs(absl::StatusCode::kCancelled));
  Append(1);
  EXPECT_EQ(Open(last_ - 1).Next(), last_);
}

TEST_F(WatchJobTest, DrainEndsWatchesSoThatClientsComeBack) {
  Watch watch = Open(0);
  for (int i = 1; i <= last_; ++i) EXPECT_EQ(watch.Next(), i);
  server_->Drain(absl::ZeroDuration(), absl::Seconds(30));
  EXPECT_EQ(watch.Next(), 0);
  EXPECT_THAT(watch.Finish(), StatusIs(absl::StatusCode::kUnavailable, ::testing::HasSubstr("shutting down")));
}

}  // namespace
}  // namespace graft::testing
