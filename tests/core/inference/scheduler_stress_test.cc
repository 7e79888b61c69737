// The scheduler under everything at once. Bounded by counts, so that sanitizers see as much.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "absl/time/clock.h"
#include "core/inference/scheduler.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"

namespace graft::inference {
namespace {

using ::testing::Each;

constexpr int kProducers = 3, kMaxBatch = 4;

constexpr absl::Duration kBusy = absl::Microseconds(1);  // a lane on one image

SchedulerOptions Options(bool on_gpu) {
  SchedulerOptions options{.capacity_images = 32, .lanes = 2, .has_forward_lane = on_gpu};
  if (on_gpu) options.batches = {.max_images = kMaxBatch, .max_age = absl::Microseconds(200)};
  return options;
}

// Producers who hurry, wait or change their mind; lanes; and the scheduler between them.
class Crowd {
 public:
  explicit Crowd(bool on_gpu)
      : scheduler_(Options(on_gpu), [this](const RequestPointer& request) {
          EXPECT_LE(request->call.deadline, absl::Now() + kBusy) << "it could have been done in time";
          ++expired_;
          Answer(request);
        }) {
    const Role role = on_gpu ? Role::kDecode : Role::kDecodeAndForward;
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this, role] { Serve(role); });
    if (on_gpu) threads_.emplace_back([this] { Serve(Role::kForward); });
    for (int i = 0; i < kProducers; ++i) threads_.emplace_back([this, i] { Produce(i); });
  }

  void StopWhileFull(int answered) {
    while (answered_ < answered) absl::SleepFor(absl::Milliseconds(1));
    const int refused = full_;
    while (full_ == refused) absl::SleepFor(absl::Milliseconds(1));
    for (const RequestPointer& request : scheduler_.Stop()) Answer(request);
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(answered_, admitted_);
    EXPECT_FALSE(answered_twice_);
    EXPECT_THAT(served_, Each(::testing::Gt(0)));
    EXPECT_GT(expired_, 0);
    EXPECT_GT(cancelled_, 0);
  }

 private:
  void Produce(int seed) {
    std::mt19937 random(seed);
    while (true) {
      auto request = std::make_shared<Request>();
      request->model.name = std::string(1, static_cast<char>('a' + random() % 3));
      request->call.priority = random() % 2 == 0 ? Priority::kBatch : Priority::kInteractive;
      const bool hurries = random() % 4 == 0;
      if (hurries) request->call.deadline = absl::Now() + absl::Microseconds(random() % 300);
      request->done = [this, answered = std::make_shared<std::atomic<bool>>(false)](const auto&) {
        if (answered->exchange(true)) answered_twice_ = true;
        ++answered_;
      };
      const absl::Status admitted = scheduler_.Admit(request);
      if (absl::IsUnavailable(admitted)) return;
      if (admitted.ok()) {
        ++admitted_;
        if (random() % 4 == 0 && scheduler_.Take(request)) {
          ++cancelled_;
          Answer(request);
        }
      } else if (!hurries) {
        ++full_;
        std::this_thread::yield();
      }
    }
  }

  void Serve(Role role) {
    for (Scheduler::Work work = scheduler_.Next(role); !work.requests.empty(); work = scheduler_.Next(role)) {
      if (work.trunk == nullptr) {
        ASSERT_EQ(work.requests.size(), 1U);
        Decode(work.requests.front(), role);
        continue;
      }
      EXPECT_LE(work.requests.size(), static_cast<size_t>(kMaxBatch));
      for (const RequestPointer& request : work.requests) {
        EXPECT_EQ(request->trunk, work.trunk);
        ++served_[request->call.priority == Priority::kBatch ? 1 : 0];
        Answer(request);
      }
    }
  }

  // As the classifier does: parked before its trunk is asked for.
  void Decode(const RequestPointer& request, Role role) {
    if (!scheduler_.Park(request)) return Answer(request);
    std::this_thread::yield();
    if (!scheduler_.Take(request)) return;  // expired, cancelled or stopped meanwhile
    request->trunk = trunks_[request->model.name == "a" ? 0 : 1];
    if (!scheduler_.Decoded(request, role)) Answer(request);
  }

  void Answer(const RequestPointer& request) {
    scheduler_.Leave(*request, kBusy);
    request->done(absl::UnknownError("nothing was computed"));
  }

  const TrunkCache::Trunk trunks_[2] = {std::make_shared<testing::FakeEngine>(network::BackboneFacts{.name = "one"}),
                                        std::make_shared<testing::FakeEngine>(network::BackboneFacts{.name = "other"})};
  std::atomic<int> admitted_ = 0, answered_ = 0, expired_ = 0, cancelled_ = 0, full_ = 0;
  std::atomic<int> served_[2] = {0, 0};  // by priority
  std::atomic<bool> answered_twice_ = false;
  Scheduler scheduler_;
  std::vector<std::thread> threads_;
};

TEST(SchedulerStressTest, EveryAdmittedRequestIsAnsweredOnce) {
  for (int round = 0; round < 10; ++round) Crowd(/*on_gpu=*/round % 2 == 1).StopWhileFull(1000);
}

}  // namespace
}  // namespace graft::inference
