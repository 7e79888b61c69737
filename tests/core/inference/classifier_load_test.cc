// The classifier while many wait: deadlines, cancelled calls, overload, batches, swaps.
#include <gmock/gmock.h>

#include "tests/core/inference/classifier_fixture.h"

namespace graft::inference {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ClassifierTest, LoadingOneTrunkDoesNotHoldUpAnother) {
  absl::Notification gate;
  load_gate_ = &gate;
  Publish("fast");
  Publish("slow", 0, "resnet50_v2");
  Start();
  ASSERT_OK(Classify({.model = "fast", .image = Picture(255, 0, 0)}));
  Answer first = Send({.model = "slow", .image = Picture(255, 0, 0)});
  Answer second = Send({.model = "slow", .image = Picture(255, 0, 0)});
  EXPECT_OK(Classify({.model = "fast", .image = Picture(255, 0, 0)}));
  gate.Notify();
  EXPECT_OK(first.get());
  EXPECT_OK(second.get());
  EXPECT_EQ(engines_created_, 2);
}

TEST_F(ClassifierTest, DeadlineAnswersWhileTheTrunkLoads) {
  absl::Notification gate;
  load_gate_ = &gate;
  Publish("slow", 0, "resnet50_v2");
  Start();
  EXPECT_THAT(Classify({.model = "slow", .image = Picture(1, 2, 3), .deadline = absl::Now() + absl::Milliseconds(20)}),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  gate.Notify();
  EXPECT_OK(Classify({.model = "slow", .image = Picture(1, 2, 3)}));
}

TEST_F(ClassifierTest, DeadlineAnswersWhileQueuedBehindABusyLane) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  EXPECT_THAT(
      Classify({.model = "colours", .image = Picture(1, 2, 3), .deadline = absl::Now() + absl::Milliseconds(20)}),
      StatusIs(absl::StatusCode::kDeadlineExceeded));
  gate.Notify();
  EXPECT_OK(running.get());
}

TEST_F(ClassifierTest, CancelledRequestIsNotRun) {
  Publish("colours");
  Start();
  const auto cancellation = std::make_shared<Cancellation>();
  cancellation->Cancel();
  EXPECT_THAT(Classify({.model = "colours", .image = Picture(1, 2, 3), .cancellation = cancellation}),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(engines_created_, 0);
}

TEST_F(ClassifierTest, OverloadIsRefusedWithADelay) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  options_.queue_capacity = 3;
  Publish("colours");
  Start();
  const ClassifyCall call{.model = "colours", .image = Picture(255, 0, 0)};
  std::vector<Answer> accepted;
  accepted.push_back(Send(call));
  entered.WaitForNotification();
  accepted.push_back(Send(call));
  accepted.push_back(Send(call));
  const absl::Status refused = Classify(call).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  const auto detail = DetailOf(refused);
  ASSERT_TRUE(detail && std::holds_alternative<RetryDetail>(*detail));
  EXPECT_GE(std::get<RetryDetail>(*detail).delay, absl::Milliseconds(20));
  gate.Notify();
  for (Answer& answer : accepted) EXPECT_OK(answer.get());
}

TEST_F(ClassifierTest, DestructionAnswersWhatWaits) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  absl::Status status;
  classifier_->Classify({.model = "colours", .image = Picture(255, 0, 0)}, [&](const auto& result) {
    status = result.status();
    gate.Notify();
  });
  classifier_.reset();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_OK(running.get());
}

TEST_F(ClassifierTest, CancelledWhileItWaitsLeavesAtOnce) {
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  options_.queue_capacity = 2;
  Publish("colours");
  Start();
  Answer running = Send({.model = "colours", .image = Picture(255, 0, 0)});
  entered.WaitForNotification();
  const auto cancellation = std::make_shared<Cancellation>();
  const ClassifyCall waits{.model = "colours", .image = Picture(1, 2, 3), .cancellation = cancellation};
  Answer cancelled = Send(waits);
  cancellation->Cancel();
  EXPECT_THAT(cancelled.get(), StatusIs(absl::StatusCode::kCancelled));
  Answer next = Send({.model = "colours", .image = Picture(0, 255, 0)});  // its place is free
  gate.Notify();
  EXPECT_OK(running.get());
  EXPECT_OK(next.get());
}

TEST_F(ClassifierTest, CallbackIsGoneOnceItWasCalled) {
  Publish("colours");
  Start();
  auto tied = std::make_shared<int>();
  const std::weak_ptr<int> watched = tied;
  std::promise<void> answered;
  classifier_->Classify({.model = "colours", .image = Picture(1, 2, 3)},
                        [&answered, tied](const auto&) { answered.set_value(); });
  tied.reset();
  answered.get_future().wait();
  for (int i = 0; i < 10000 && !watched.expired(); ++i) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(watched.expired());
}

// On a GPU lanes decode and one more runs batches; images of different models share them.
TEST_F(ClassifierTest, BatchesMixModelsAndAnswerEachWithItsOwnHead) {
  options_.device = "cuda:0";
  options_.threads = 2;
  absl::Notification gate, entered;
  run_gate_ = &gate;
  entered_ = &entered;
  for (int i = 0; i < 3; ++i) Publish(absl::StrCat("model", i), i);
  Start();
  std::vector<Answer> answers;
  for (int i = 0; i < 30; ++i) {
    answers.push_back(Send({.model = absl::StrCat("model", i % 3), .image = Picture(255, 0, 0)}));
  }
  entered.WaitForNotification();
  gate.Notify();
  const char* const expected[] = {"red", "blue", "green"};
  for (int i = 0; i < 30; ++i) {
    const absl::StatusOr<Classification> answer = answers[static_cast<size_t>(i)].get();
    ASSERT_OK(answer);
    EXPECT_EQ(answer->model_version, absl::StrCat("models/model", i % 3, "/versions/1"));
    EXPECT_EQ(answer->predictions[0].label, expected[i % 3]);
  }
}

TEST_F(ClassifierTest, FailedPassReachesEveryRequestInIt) {
  options_.device = "cuda:0";
  absl::Notification gate;
  run_gate_ = &gate;
  fail_runs_ = true;
  Publish("colours");
  Start();
  std::vector<Answer> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(Send({.model = "colours", .image = Picture(255, 0, 0)}));
  gate.Notify();
  for (Answer& answer : answers) EXPECT_THAT(answer.get(), StatusIs(absl::StatusCode::kInternal, HasSubstr("told to")));
}

// Publishing and promoting under load: every call is answered once, none fails, and each answer is of one version
// whole.
TEST_F(ClassifierTest, SwapsUnderLoadNeitherFailNorMix) {
  constexpr int kVersions = 9, kCallsPerSender = 200;  // versions of one digit
  options_.threads = 3;
  options_.queue_capacity = 1 << 20;
  Publish("colours", 0);
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 1}, "live"));
  Start();
  const char* const expected[] = {"red", "blue", "green"};  // of a red picture, by shift
  std::atomic<int> answered = 0, cancelled = 0;
  absl::Mutex mutex;
  std::vector<std::string> wrong;
  const auto note = [&](const std::string& what) {
    absl::MutexLock lock(&mutex);
    wrong.push_back(what);
  };
  const std::string picture = Picture(255, 0, 0);
  const auto send = [&](int sender) {
    std::vector<std::shared_ptr<absl::Notification>> calls;
    for (int i = 0; i < kCallsPerSender; ++i) {
      const auto cancellation = std::make_shared<Cancellation>();
      auto done = calls.emplace_back(std::make_shared<absl::Notification>());
      classifier_->Classify({.model = i % 2 == 0 ? "colours@live" : "colours",
                             .image = picture,
                             .priority = i % 3 == 0 ? Priority::kBatch : Priority::kInteractive,
                             .cancellation = cancellation},
                            [&, done](absl::StatusOr<Classification> result) {
                              ++answered;
                              if (result.ok()) {
                                const int version = result->model_version.back() - '0';
                                const std::string& label = result->predictions[0].label;
                                if (label != expected[(version - 1) % 3]) note(absl::StrCat(version, ": ", label));
                              } else if (absl::IsCancelled(result.status())) {
                                ++cancelled;
                              } else {
                                note(result.status().ToString());
                              }
                              done->Notify();
                            });
      if (i % 10 == sender) cancellation->Cancel();
      if (i % 4 != 0) done->WaitForNotification();
    }
    for (const auto& call : calls) call->WaitForNotification();  // one left over would end with the classifier
  };
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 3; ++sender) senders.emplace_back(send, sender);
  for (int version = 2; version <= kVersions; ++version) {
    Publish("colours", (version - 1) % 3);
    ASSERT_OK(registry_->SetAlias({.name = "colours", .number = version}, "live"));
  }
  for (std::thread& sender : senders) sender.join();
  classifier_.reset();
  EXPECT_EQ(answered, 3 * kCallsPerSender);
  EXPECT_THAT(wrong, IsEmpty());
  EXPECT_LE(cancelled, 3 * kCallsPerSender / 10 + 3);
}

}  // namespace
}  // namespace graft::inference
