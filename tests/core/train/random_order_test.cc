#include "core/train/random_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace graft::train {
namespace {

using ::testing::ElementsAre;

TEST(EpochOrderTest, IsAPermutationThatDiffersByEpochAndSeed) {
  std::vector<int64_t> order = EpochOrder(7, 1, 100);
  EXPECT_EQ(order, EpochOrder(7, 1, 100));
  EXPECT_NE(order, EpochOrder(7, 2, 100));
  EXPECT_NE(order, EpochOrder(8, 1, 100));
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(EpochOrderTest, EveryOrderOfThreeIsEquallyLikely) {
  std::map<std::vector<int64_t>, int> counts;
  for (int epoch = 1; epoch <= 6000; ++epoch) ++counts[EpochOrder(0, epoch, 3)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 150);  // five standard deviations
}

TEST(EpochOrderTest, FewImages) {
  EXPECT_THAT(EpochOrder(1, 1, 0), ElementsAre());
  EXPECT_THAT(EpochOrder(1, 1, 1), ElementsAre(0));
}

TEST(GlorotUniformTest, StaysWithinItsLimitAndFillsIt) {
  const std::vector<float> values = GlorotUniform(3, 1280, 5);
  const double limit = std::sqrt(6.0 / 1285);
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  EXPECT_EQ(values.size(), 6400u);
  EXPECT_GE(*lowest, -limit);
  EXPECT_LT(*lowest, -0.99 * limit);
  EXPECT_LE(*highest, limit);
  EXPECT_GT(*highest, 0.99 * limit);
  EXPECT_EQ(values, GlorotUniform(3, 1280, 5));
  EXPECT_NE(values, GlorotUniform(4, 1280, 5));
}

}  // namespace
}  // namespace graft::train
