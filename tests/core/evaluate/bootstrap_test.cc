#include "core/evaluate/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace graft::evaluate {
namespace {

// `images` of two classes; of each ten, `right` are right.
Intervals IntervalsOf(int images, int right, uint32_t seed) {
  std::vector<int> labels, predictions;
  std::vector<double> losses;
  for (int i = 0; i < images; ++i) {
    labels.push_back(i % 2);
    predictions.push_back(i % 10 < right ? i % 2 : 1 - i % 2);
    losses.push_back(i % 10 < right ? 0.1 : 2);
  }
  return Bootstrap(predictions, labels, losses, 2, seed);
}

TEST(BootstrapTest, IntervalIsThatOfTheNormalApproximation) {
  const Intervals intervals = IntervalsOf(1000, 8, 1);
  const double half_width = 1.96 * std::sqrt(0.8 * 0.2 / 1000);
  EXPECT_NEAR(intervals.accuracy.low, 0.8 - half_width, 0.004);
  EXPECT_NEAR(intervals.accuracy.high, 0.8 + half_width, 0.004);
  EXPECT_NEAR(intervals.loss.low, 0.48 - 1.9 * half_width, 0.008);
  EXPECT_NEAR(intervals.loss.high, 0.48 + 1.9 * half_width, 0.008);
  EXPECT_NEAR(intervals.macro_f1.low, 0.8 - half_width, 0.005);
  EXPECT_NEAR(intervals.macro_f1.high, 0.8 + half_width, 0.005);
}

TEST(BootstrapTest, SameSeedSameInterval) {
  const auto ends = [](uint32_t seed) {
    const Intervals all = IntervalsOf(997, 7, seed);
    return std::vector<double>{all.accuracy.low, all.accuracy.high, all.loss.low, all.loss.high, all.macro_f1.low};
  };
  EXPECT_EQ(ends(3), ends(3));
  EXPECT_NE(ends(3), ends(4));
}

TEST(BootstrapTest, NothingToDrawFromAndNothingThatVaries) {
  const Intervals none = Bootstrap({}, {}, {}, 2, 0);
  EXPECT_EQ(none.accuracy.high, 0);
  const Intervals perfect = IntervalsOf(20, 10, 0);
  EXPECT_EQ(perfect.accuracy.low, 1);
  EXPECT_EQ(perfect.accuracy.high, 1);
  EXPECT_EQ(perfect.macro_f1.low, 1);
}

}  // namespace
}  // namespace graft::evaluate
