#include "core/inference/latency.h"

#include <gmock/gmock.h>

#include "tests/core/inference/classifier_fixture.h"

namespace graft::inference {
namespace {

using ::graft::testing::StatusIs;

constexpr int kInputSize = 8;

using LatencyTest = ClassifierTest;

TEST_F(LatencyTest, IsThatOfBothBatches) {
  Publish("colours");
  Start();
  ASSERT_OK_AND_ASSIGN(const Latency latency,
                       MeasureLatency(*classifier_, "colours:1", kInputSize, absl::InfiniteFuture(), nullptr));
  EXPECT_GT(latency.batch_1, absl::ZeroDuration());
  EXPECT_GT(latency.batch_32, absl::ZeroDuration());
  EXPECT_EQ(classifier_->loaded_trunks(), 1);
}

TEST_F(LatencyTest, ErrorsAreTheClassifiers) {
  Publish("colours");
  fail_runs_ = true;
  Start();
  EXPECT_THAT(MeasureLatency(*classifier_, "colours", kInputSize, absl::InfiniteFuture(), nullptr),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(MeasureLatency(*classifier_, "plants", kInputSize, absl::InfiniteFuture(), nullptr),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(MeasureLatency(*classifier_, "colours", kInputSize + 1, absl::InfiniteFuture(), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LatencyTest, EndsWithItsCaller) {
  Publish("colours");
  Start();
  const auto cancellation = std::make_shared<Cancellation>();
  cancellation->Cancel();
  EXPECT_THAT(MeasureLatency(*classifier_, "colours", kInputSize, absl::InfiniteFuture(), cancellation),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(MeasureLatency(*classifier_, "colours", kInputSize, absl::InfinitePast(), nullptr),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(LatencyTest, LoadingEndsWithItsCaller) {
  Publish("colours");
  Publish("slow", 0, "resnet50_v2");
  absl::Notification gate;
  load_gate_ = &gate;
  Start();
  EXPECT_OK(LoadNow(*classifier_, "colours", absl::InfiniteFuture(), nullptr));
  EXPECT_THAT(LoadNow(*classifier_, "plants", absl::InfiniteFuture(), nullptr), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(LoadNow(*classifier_, "slow", absl::Now() + absl::Milliseconds(20), nullptr),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  const auto cancellation = std::make_shared<Cancellation>();
  std::thread caller([&] {
    absl::SleepFor(absl::Milliseconds(20));
    cancellation->Cancel();
  });
  EXPECT_THAT(LoadNow(*classifier_, "slow", absl::InfiniteFuture(), cancellation),
              StatusIs(absl::StatusCode::kCancelled));
  caller.join();
  gate.Notify();
  EXPECT_OK(LoadNow(*classifier_, "slow", absl::InfiniteFuture(), nullptr)) << "it went on";
}

// What others ask goes first, and all of it is answered.
TEST_F(LatencyTest, LeavesRoomForOthers) {
  Publish("colours");
  Start();
  std::vector<Answer> answers;
  std::atomic<bool> done = false;
  std::thread others([&] {
    while (!done) {
      answers.push_back(Send({.model = "colours", .image = Picture(255, 0, 0)}));
      answers.back().wait();
    }
  });
  EXPECT_OK(MeasureLatency(*classifier_, "colours", kInputSize, absl::InfiniteFuture(), nullptr));
  done = true;
  others.join();
  ASSERT_FALSE(answers.empty());
  for (Answer& answer : answers) EXPECT_OK(answer.get());
}

}  // namespace
}  // namespace graft::inference
