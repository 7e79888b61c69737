#include "core/base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace graft {
namespace {

// What Java's SplittableRandom and the reference splitmix64.c give for the seed 1234567.
TEST(RandomStreamTest, IsSplitMix64) {
  RandomStream random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

TEST(RandomStreamTest, CopiesGoOnAlike) {
  RandomStream random(1);
  random.Next();
  RandomStream copy = random;
  EXPECT_EQ(random.Next(), copy.Next());
}

TEST(RandomStreamTest, NumbersAreUniformInTheirRange) {
  RandomStream random(7);
  constexpr int kDraws = 60000;
  double sum = 0;
  std::vector<int> counts(6);
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.Uniform(-1, 3);
    ASSERT_GE(value, -1);
    ASSERT_LT(value, 3);
    sum += value;
    ++counts[random.Below(6)];
  }
  EXPECT_NEAR(sum / kDraws, 1, 0.03);                                  // six standard errors
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 6, 550);  // six standard deviations
}

TEST(RandomStreamTest, ChanceIsAShareOfTheCases) {
  RandomStream random(3);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += random.Chance(0.25) ? 1 : 0;
  EXPECT_NEAR(hits, 2500, 260);
  EXPECT_FALSE(random.Chance(0));
  EXPECT_TRUE(random.Chance(1));
}

TEST(RandomKeyTest, PartsAndTheirOrderCount) {
  const std::set<uint64_t> keys = {RandomKey({0}),    RandomKey({0, 0}), RandomKey({0, 1}),
                                   RandomKey({1, 0}), RandomKey({1, 1}), RandomKey({1, 2})};
  EXPECT_EQ(keys.size(), 6u);
}

}  // namespace
}  // namespace graft
