#include "core/inference/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"

namespace graft::inference {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr SchedulerOptions kGpu{.has_forward_lane = true, .batches = {.max_images = 4}};

RequestPointer NewRequest(const std::string& model = "m", Priority priority = Priority::kInteractive) {
  auto request = std::make_shared<Request>();
  request->model.name = model;
  request->call.priority = priority;
  request->call.image = "0123456789";
  return request;
}

TrunkCache::Trunk NewTrunk() {
  return std::make_shared<testing::FakeEngine>(network::BackboneFacts{.name = "fake"});
}

std::unique_ptr<Scheduler> NewScheduler(SchedulerOptions options = {}) {
  return std::make_unique<Scheduler>(options, [](const RequestPointer&) { FAIL() << "nothing may expire here"; });
}

// Admits the request and takes it through decoding.
void Decode(Scheduler& scheduler, const RequestPointer& request, const TrunkCache::Trunk& trunk) {
  ASSERT_OK(scheduler.Admit(request));
  ASSERT_THAT(scheduler.Next(Role::kDecode).requests, ElementsAre(request));
  request->trunk = trunk;
  ASSERT_TRUE(scheduler.Decoded(request, Role::kDecode));
}

TEST(SchedulerTest, WhatComesTooLateIsLateHoweverMuchWaits) {
  const auto scheduler = NewScheduler({.capacity_images = 1});
  const RequestPointer waiting = NewRequest(), late = NewRequest();
  ASSERT_OK(scheduler->Admit(waiting));
  late->call.deadline = absl::Now();
  EXPECT_THAT(scheduler->Admit(late), StatusIs(absl::StatusCode::kDeadlineExceeded));
  scheduler->Leave(*waiting, absl::ZeroDuration());
}

TEST(SchedulerTest, FinishesWhatIsBegunBeforeDecodingMore) {
  const auto scheduler = NewScheduler();
  const TrunkCache::Trunk trunk = NewTrunk();
  const RequestPointer first = NewRequest(), second = NewRequest();
  Decode(*scheduler, first, trunk);
  ASSERT_OK(scheduler->Admit(second));
  const Scheduler::Work forward = scheduler->Next(Role::kDecodeAndForward);
  EXPECT_EQ(forward.trunk, trunk);
  EXPECT_THAT(forward.requests, ElementsAre(first));
  const Scheduler::Work decode = scheduler->Next(Role::kDecodeAndForward);
  EXPECT_EQ(decode.trunk, nullptr);
  EXPECT_THAT(decode.requests, ElementsAre(second));
}

TEST(SchedulerTest, OneRequestAloneMayUseAllCoresAndManyOneEach) {
  const auto scheduler = NewScheduler();
  const TrunkCache::Trunk trunk = NewTrunk();
  const RequestPointer first = NewRequest(), second = NewRequest();
  Decode(*scheduler, first, trunk);
  EXPECT_EQ(scheduler->Next(Role::kForward).cores, engine::Cores::kAll);
  Decode(*scheduler, second, trunk);
  EXPECT_EQ(scheduler->Next(Role::kForward).cores, engine::Cores::kOne);
  scheduler->Leave(*first, absl::ZeroDuration());
  scheduler->Leave(*second, absl::ZeroDuration());
  Decode(*scheduler, NewRequest(), trunk);
  EXPECT_EQ(scheduler->Next(Role::kForward).cores, engine::Cores::kAll);
}

TEST(SchedulerTest, ModelsOfOneTrunkShareABatchAndTrunksDoNot) {
  const auto scheduler = NewScheduler(kGpu);
  const TrunkCache::Trunk shared = NewTrunk(), other = NewTrunk();
  const RequestPointer a = NewRequest("a"), b = NewRequest("b"), c = NewRequest("c");
  Decode(*scheduler, a, shared);
  Decode(*scheduler, c, other);
  Decode(*scheduler, b, shared);
  EXPECT_THAT(scheduler->Next(Role::kForward).requests, UnorderedElementsAre(a, b));
  EXPECT_THAT(scheduler->Next(Role::kForward).requests, ElementsAre(c));
}

TEST(SchedulerTest, BatchesAreBounded) {
  const auto scheduler = NewScheduler(kGpu);
  const TrunkCache::Trunk trunk = NewTrunk();
  for (int i = 0; i < 6; ++i) Decode(*scheduler, NewRequest(), trunk);
  const Scheduler::Work first = scheduler->Next(Role::kForward), second = scheduler->Next(Role::kForward);
  EXPECT_THAT(first.requests, SizeIs(4));
  EXPECT_THAT(second.requests, SizeIs(2));
  EXPECT_EQ(first.forward_pass, 1);
  EXPECT_EQ(second.forward_pass, 2);
}

TEST(SchedulerTest, RefusesMoreImagesThanItsCapacity) {
  const auto scheduler = NewScheduler({.capacity_images = 2});
  const RequestPointer first = NewRequest();
  ASSERT_OK(scheduler->Admit(first));
  ASSERT_OK(scheduler->Admit(NewRequest()));
  const absl::Status refused = scheduler->Admit(NewRequest());
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 images")));
  EXPECT_TRUE(std::holds_alternative<RetryDetail>(*DetailOf(refused)));
  scheduler->Leave(*first, absl::ZeroDuration());
  EXPECT_OK(scheduler->Admit(NewRequest()));
}

TEST(SchedulerTest, RefusesMoreBytesThanItsCapacity) {
  const auto scheduler = NewScheduler({.capacity_bytes = 15});
  const RequestPointer first = NewRequest();
  ASSERT_OK(scheduler->Admit(first));
  EXPECT_THAT(scheduler->Admit(NewRequest()), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes")));
  first->call.image = {};  // what was decoded counts until it is answered
  EXPECT_THAT(scheduler->Admit(NewRequest()), StatusIs(absl::StatusCode::kResourceExhausted));
  scheduler->Leave(*first, absl::ZeroDuration());
  EXPECT_OK(scheduler->Admit(NewRequest()));
}

TEST(SchedulerTest, RefusesWhatWouldMissItsDeadline) {
  const auto scheduler = NewScheduler();
  const RequestPointer known = NewRequest();
  ASSERT_OK(scheduler->Admit(known));
  scheduler->Leave(*known, absl::Minutes(1));  // an image takes a minute
  const RequestPointer hurried = NewRequest();
  hurried->call.deadline = absl::Now() + absl::Minutes(3);
  ASSERT_OK(scheduler->Admit(hurried)) << "nothing is ahead of it";
  const RequestPointer second = NewRequest();
  second->call.deadline = hurried->call.deadline;
  ASSERT_OK(scheduler->Admit(second)) << "one is ahead: 1.5 minutes at most, and one of its own";
  const RequestPointer late = NewRequest();
  late->call.deadline = hurried->call.deadline;
  EXPECT_THAT(scheduler->Admit(late), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("deadline")));
  EXPECT_OK(scheduler->Admit(NewRequest()));
}

TEST(SchedulerTest, ASlowStartIsSoonForgotten) {
  const auto scheduler = NewScheduler();
  for (int i = 0; i < 10; ++i) {
    const RequestPointer request = NewRequest();
    ASSERT_OK(scheduler->Admit(request));
    ASSERT_THAT(scheduler->Next(Role::kDecode).requests, ElementsAre(request));
    scheduler->Leave(*request, i == 0 ? absl::Minutes(10) : absl::Milliseconds(1));
  }
  ASSERT_OK(scheduler->Admit(NewRequest()));
  const RequestPointer hurried = NewRequest();
  hurried->call.deadline = absl::Now() + absl::Minutes(3);  // one is ahead, for a minute: 1.5 and one of its own
  EXPECT_OK(scheduler->Admit(hurried));
}

TEST(SchedulerTest, RequestsExpireWhereverTheyWait) {
  absl::Mutex mutex;
  std::vector<RequestPointer> expired;
  Scheduler scheduler({}, [&](const RequestPointer& request) {
    absl::MutexLock lock(&mutex);
    expired.push_back(request);
  });
  const RequestPointer parked = NewRequest(), decoded = NewRequest(), queued = NewRequest();
  for (const RequestPointer& request : {parked, decoded, queued}) {
    request->call.deadline = absl::Now() + absl::Seconds(2);
  }
  ASSERT_OK(scheduler.Admit(parked));
  ASSERT_THAT(scheduler.Next(Role::kDecode).requests, ElementsAre(parked));
  ASSERT_TRUE(scheduler.Park(parked));
  Decode(scheduler, decoded, NewTrunk());
  ASSERT_OK(scheduler.Admit(queued));
  {
    absl::MutexLock lock(&mutex);
    const auto all = [&] { return expired.size() == 3; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(30)));
  }
  EXPECT_THAT(expired, UnorderedElementsAre(parked, decoded, queued));
  EXPECT_FALSE(scheduler.Take(queued)) << "it has been given out already";
  EXPECT_THAT(scheduler.Stop(), IsEmpty());
}

TEST(SchedulerTest, WhatWouldEndTooLateMakesRoomForWhatWaits) {
  std::vector<RequestPointer> expired;
  Scheduler scheduler({}, [&](const RequestPointer& request) { expired.push_back(request); });
  const RequestPointer known = NewRequest(), late = NewRequest(), later = NewRequest(), in_time = NewRequest();
  ASSERT_OK(scheduler.Admit(known));
  // Admitted while nothing was known of how long one takes, and then one took 20 s.
  for (const RequestPointer& request : {late, later}) {
    request->call.deadline = absl::Now() + absl::Seconds(15);
    ASSERT_OK(scheduler.Admit(request));
  }
  ASSERT_OK(scheduler.Admit(in_time));
  EXPECT_THAT(scheduler.Next(Role::kDecode).requests, ElementsAre(known));
  scheduler.Leave(*known, absl::Seconds(20));
  EXPECT_THAT(scheduler.Next(Role::kDecode).requests, ElementsAre(in_time));
  EXPECT_THAT(expired, ElementsAre(late, later));
  for (const RequestPointer& request : {late, later, in_time}) scheduler.Leave(*request, absl::ZeroDuration());
  // With nobody behind it one may as well try.
  const RequestPointer alone = NewRequest();
  alone->call.deadline = absl::Now() + absl::Seconds(15);
  ASSERT_OK(scheduler.Admit(alone));
  EXPECT_THAT(scheduler.Next(Role::kDecode).requests, ElementsAre(alone));
  EXPECT_THAT(expired, SizeIs(2));
}

TEST(SchedulerTest, TakenRequestsLeaveTheirQueue) {
  const auto scheduler = NewScheduler();
  const RequestPointer queued = NewRequest(), decoded = NewRequest(), last = NewRequest();
  Decode(*scheduler, decoded, NewTrunk());
  ASSERT_OK(scheduler->Admit(queued));
  ASSERT_OK(scheduler->Admit(last));
  EXPECT_TRUE(scheduler->Take(queued));
  EXPECT_FALSE(scheduler->Take(queued));
  EXPECT_TRUE(scheduler->Take(decoded));
  EXPECT_THAT(scheduler->Next(Role::kDecodeAndForward).requests, ElementsAre(last));
}

TEST(SchedulerTest, StopGivesBackWhatWaitsAndWakesLanes) {
  const auto scheduler = NewScheduler();
  const RequestPointer parked = NewRequest(), queued = NewRequest();
  ASSERT_OK(scheduler->Admit(parked));
  ASSERT_THAT(scheduler->Next(Role::kDecode).requests, ElementsAre(parked));
  ASSERT_TRUE(scheduler->Park(parked));
  std::thread lane([&] { EXPECT_THAT(scheduler->Next(Role::kForward).requests, IsEmpty()); });
  ASSERT_OK(scheduler->Admit(queued));
  EXPECT_THAT(scheduler->Stop(), UnorderedElementsAre(parked, queued));
  lane.join();
  EXPECT_THAT(scheduler->Next(Role::kDecodeAndForward).requests, IsEmpty());
  EXPECT_THAT(scheduler->Admit(NewRequest()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(scheduler->Park(queued));
}

}  // namespace
}  // namespace graft::inference
