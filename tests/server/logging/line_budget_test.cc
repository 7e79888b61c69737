#include "server/logging/line_budget.h"

#include <gtest/gtest.h>

namespace graft::logging {
namespace {

TEST(LineBudgetTest, SoManyASecondAndThenHowManyWereLeftOut) {
  LineBudget budget(2);
  absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(budget.Take(now), 0);
  EXPECT_EQ(budget.Take(now), 0);
  EXPECT_EQ(budget.Take(now), std::nullopt);
  EXPECT_EQ(budget.Take(now + absl::Milliseconds(999)), std::nullopt);
  now += absl::Seconds(1);
  EXPECT_EQ(budget.Take(now), 2);
  EXPECT_EQ(budget.Take(now), 0);
  EXPECT_EQ(budget.Take(now), std::nullopt);
  EXPECT_EQ(budget.Take(now - absl::Hours(1)), 1) << "a clock that was set back starts anew";
}

}  // namespace
}  // namespace graft::logging
