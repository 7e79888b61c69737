#include "core/batching/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace graft::batching {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr absl::Time kNow = absl::UnixEpoch();
constexpr BatchPolicy kBuckets{.max_images = 4, .max_age = absl::Milliseconds(5)};

void Add(Batcher<int>& batcher, int item, absl::Time now = kNow) {
  batcher.Add(item, "model", Priority::kInteractive, now);
}

TEST(BatcherTest, BatchOfOneIsDueAtOnce) {
  Batcher<int> batcher({});
  EXPECT_EQ(batcher.due(), absl::InfiniteFuture());
  Add(batcher, 1);
  Add(batcher, 2);
  EXPECT_LE(batcher.due(), kNow);
  EXPECT_THAT(batcher.Take(), ElementsAre(1));
  EXPECT_LE(batcher.due(), kNow);
}

TEST(BatcherTest, NeverMoreThanTheBound) {
  Batcher<int> batcher(kBuckets);
  for (int i = 0; i < 9; ++i) Add(batcher, i);
  EXPECT_THAT(batcher.Take(), SizeIs(4));
  EXPECT_THAT(batcher.Take(), SizeIs(4));
  EXPECT_THAT(batcher.Take(), SizeIs(1));
  EXPECT_TRUE(batcher.empty());
}

TEST(BatcherTest, LoneImageDoesNotWaitForCompany) {
  Batcher<int> batcher(kBuckets);
  Add(batcher, 1);
  EXPECT_LE(batcher.due(), kNow);
}

TEST(BatcherTest, UnderLoadTheOldestImageLeavesBeforeTheBatchIsFull) {
  Batcher<int> batcher(kBuckets);
  Add(batcher, 1);
  Add(batcher, 2);
  EXPECT_THAT(batcher.Take(), ElementsAre(1, 2));
  Add(batcher, 3, kNow + absl::Milliseconds(1));
  Add(batcher, 4, kNow + absl::Milliseconds(3));
  EXPECT_EQ(batcher.due(), kNow + absl::Milliseconds(6));
  EXPECT_THAT(batcher.Take(), ElementsAre(3, 4));
}

TEST(BatcherTest, ImagesOfDifferentModelsRideInOneBatch) {
  Batcher<int> batcher(kBuckets);
  batcher.Add(1, "a", Priority::kInteractive, kNow);
  batcher.Add(2, "a", Priority::kBatch, kNow);
  batcher.Add(3, "b", Priority::kInteractive, kNow);
  EXPECT_THAT(batcher.Take(), ElementsAre(1, 3, 2));
}

TEST(BatcherTest, RemovedImagesMakeRoom) {
  Batcher<int> batcher(kBuckets);
  const auto place = batcher.Add(1, "a", Priority::kInteractive, kNow);
  Add(batcher, 2);
  batcher.Remove(place);
  EXPECT_THAT(batcher.Take(), ElementsAre(2));
}

}  // namespace
}  // namespace graft::batching
