// The classifier while what it serves changes all the time. Bounded by counts, so that sanitizers see as much.
#include <gmock/gmock.h>

#include "core/inference/head_cache.h"
#include "tests/core/inference/classifier_fixture.h"

namespace graft::inference {
namespace {

using ::graft::testing::IsOk;

constexpr const char* kOfRed[] = {"red", "blue", "green"};  // what heads call a red picture, by shift

int NumberOf(const Classification& answer) {
  const auto version = ParseVersionReference("model", "models", answer.model_version);
  return version.ok() ? version->number.value_or(0) : 0;
}

// Promoting, deleting the version before and pushing its trunk out: no call through the alias fails, each answer is of
// one version whole (its head, its trunk, its kept responses) and of none that was replaced before the call.
TEST_F(ClassifierTest, PromotionsDeletionsAndEvictionsDisturbNobody) {
  constexpr int kVersions = 60, kSenders = 3;
  options_.threads = 2;
  options_.max_trunk_bytes = kEngineBytes;  // versions alternate between two
  options_.max_head_bytes = 1;
  options_.response_cache_bytes = 1 << 10;
  Publish("colours", 1, "resnet50_v2");
  ASSERT_OK(registry_->SetAlias({.name = "colours", .number = 1}, "live"));
  Start();
  const std::string picture = Picture(255, 0, 0);
  std::atomic<int> live = 1, answered = 0;
  std::atomic<bool> stop = false;
  const auto send = [&] {
    while (!stop) {
      const int at_least = live;
      const absl::StatusOr<Classification> answer = Classify({.model = "colours@live", .image = picture});
      ASSERT_OK(answer);
      const int number = NumberOf(*answer);
      ASSERT_GE(number, at_least);
      ASSERT_EQ(answer->predictions[0].label, kOfRed[number % 3]) << answer->model_version;
      ++answered;
    }
  };
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) senders.emplace_back(send);
  for (int number = 2; number <= kVersions && !HasFailure(); ++number) {
    // Every third has a trunk of its own, which goes with it.
    Publish("colours", number % 3, number % 2 == 0 ? "mobilenet_v2" : "resnet50_v2", "f32", 1,
            number % 3 == 0 ? absl::StrCat("tuned ", number) : "");
    ASSERT_OK(registry_->SetAlias({.name = "colours", .number = number}, "live"));
    live = number;
    ASSERT_OK(registry_->Delete("colours", number - 1));
    classifier_->Forget("colours", number - 1);
    const int before = answered;
    while (answered < before + kSenders && !HasFailure()) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& sender : senders) sender.join();
  EXPECT_GE(engines_created_, kVersions / 2) << "trunks were to leave again and again";
}

// Between the question which version is the latest and the reading of its files.
TEST_F(ClassifierTest, DeletedWhileItIsReadGivesTheLatestThatIsLeft) {
  constexpr int kVersions = 20, kReaders = 2;
  HeadCache heads(registry_.get(), 1);  // the newest alone, so that every look reads
  Publish("colours");
  Publish("other");
  std::atomic<bool> stop = false;
  const auto read = [&] {
    while (!stop) {
      ASSERT_OK(heads.Get({.name = "colours", .number = {}, .alias = {}}));
      ASSERT_OK(heads.Get({.name = "other", .number = {}, .alias = {}}));
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) readers.emplace_back(read);
  for (int number = 2; number <= kVersions; ++number) {
    Publish("colours");
    EXPECT_OK(registry_->Delete("colours", number));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace graft::inference
