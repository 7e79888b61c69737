#include "core/evaluate/significance.h"

#include <gtest/gtest.h>

namespace graft::evaluate {
namespace {

TEST(McNemarTest, FewDiscordantImagesAreCountedExactly) {
  const McNemarResult result = McNemar(1, 5);
  EXPECT_TRUE(result.exact);
  EXPECT_EQ(result.statistic, 1);
  EXPECT_NEAR(result.p_value, 2 * 7.0 / 64, 1e-15);  // P(X <= 1) of 6 throws
  EXPECT_EQ(McNemar(0, 0).p_value, 1);
  EXPECT_EQ(McNemar(3, 3).p_value, 1);
  EXPECT_TRUE(McNemar(24, 0).exact);
  EXPECT_FALSE(McNemar(25, 0).exact);
}

TEST(McNemarTest, ManyFollowChiSquared) {
  const McNemarResult result = McNemar(121, 59);  // Wikipedia's example
  EXPECT_FALSE(result.exact);
  EXPECT_NEAR(result.statistic, 61.0 * 61 / 180, 1e-12);
  EXPECT_NEAR(result.p_value, 5.45e-6, 1e-8);
  EXPECT_EQ(McNemar(30, 30).statistic, 0);
  EXPECT_EQ(McNemar(30, 30).p_value, 1);
  EXPECT_EQ(McNemar(40, 20).p_value, McNemar(20, 40).p_value);
}

TEST(McNemarTest, CountsWhereJustOneIsRight) {
  const McNemarResult result = McNemar({true, true, false, true, false}, {true, false, true, false, false});
  EXPECT_EQ(result.only_first_right, 2);
  EXPECT_EQ(result.only_second_right, 1);
}

}  // namespace
}  // namespace graft::evaluate
