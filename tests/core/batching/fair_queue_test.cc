#include "core/batching/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace graft::batching {
namespace {

using ::testing::ElementsAre;

constexpr absl::Time kNow = absl::UnixEpoch();

std::vector<int> PopAll(FairQueue<int>& queue) {
  std::vector<int> items;
  while (!queue.empty()) items.push_back(queue.Pop());
  return items;
}

TEST(FairQueueTest, OneKeyIsFirstComeFirstServed) {
  FairQueue<int> queue;
  for (int i = 0; i < 4; ++i) queue.Push(i, "a", Priority::kInteractive, kNow);
  EXPECT_THAT(PopAll(queue), ElementsAre(0, 1, 2, 3));
}

TEST(FairQueueTest, KeysTakeTurnsHoweverManyItemsOneHas) {
  FairQueue<int> queue;
  for (int i = 0; i < 4; ++i) queue.Push(i, "busy", Priority::kInteractive, kNow);
  queue.Push(10, "quiet", Priority::kInteractive, kNow);
  queue.Push(11, "quiet", Priority::kInteractive, kNow);
  EXPECT_THAT(PopAll(queue), ElementsAre(0, 10, 1, 11, 2, 3));
}

TEST(FairQueueTest, InteractiveGoesFirst) {
  FairQueue<int> queue;
  queue.Push(1, "a", Priority::kBatch, kNow);
  queue.Push(2, "a", Priority::kInteractive, kNow);
  EXPECT_THAT(PopAll(queue), ElementsAre(2, 1));
}

TEST(FairQueueTest, BatchItemsAreNotStarved) {
  FairQueue<int> queue;
  queue.Push(-1, "bulk", Priority::kBatch, kNow);
  for (int i = 0; i < 20; ++i) queue.Push(i, "a", Priority::kInteractive, kNow);
  int pops = 1;
  while (queue.Pop() != -1) ++pops;
  EXPECT_EQ(pops, FairQueue<int>::kBatchShare);
}

TEST(FairQueueTest, RemovedItemsDoNotComeOut) {
  FairQueue<int> queue;
  const auto lone = queue.Push(0, "a", Priority::kInteractive, kNow);
  queue.Push(1, "b", Priority::kInteractive, kNow);
  const auto second = queue.Push(2, "b", Priority::kInteractive, kNow);
  queue.Remove(lone);
  queue.Remove(second);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_THAT(PopAll(queue), ElementsAre(1));
}

TEST(FairQueueTest, KnowsItsOldestItem) {
  FairQueue<int> queue;
  EXPECT_EQ(queue.oldest(), absl::InfiniteFuture());
  queue.Push(0, "a", Priority::kInteractive, kNow + absl::Seconds(2));
  const auto old = queue.Push(1, "b", Priority::kBatch, kNow + absl::Seconds(1));
  EXPECT_EQ(queue.oldest(), kNow + absl::Seconds(1));
  queue.Remove(old);
  EXPECT_EQ(queue.oldest(), kNow + absl::Seconds(2));
}

// Whatever is pushed and removed, every item comes out once, or not at all if it was removed.
TEST(FairQueueTest, KeepsEveryItemOverRandomSteps) {
  std::mt19937 random(1);
  FairQueue<int> queue;
  std::map<int, FairQueue<int>::Place> waiting;
  int next = 0;
  for (int step = 0; step < 20000; ++step) {
    const uint32_t choice = random() % 5;
    if (choice < 2) {
      const Priority priority = random() % 2 == 0 ? Priority::kBatch : Priority::kInteractive;
      waiting[next] = queue.Push(next, std::string(1, static_cast<char>('a' + random() % 6)), priority, kNow);
      ++next;
    } else if (choice < 4 && !queue.empty()) {
      ASSERT_EQ(waiting.erase(queue.Pop()), 1U);
    } else if (!waiting.empty()) {
      queue.Remove(waiting.begin()->second);
      waiting.erase(waiting.begin());
    }
    ASSERT_EQ(queue.size(), waiting.size());
  }
}

}  // namespace
}  // namespace graft::batching
