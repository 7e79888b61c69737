#include "client/terminal/progress_bar.h"

#include <gtest/gtest.h>

#include "client/terminal/format.h"

namespace graft::terminal {
namespace {

TEST(ProgressBarTest, ShowsShareAndDetail) {
  EXPECT_EQ(RenderProgressBar({"features", 50, 100, "50/100"}, 80),
            "features [###############---------------]  50% 50/100");
}

TEST(ProgressBarTest, IsFullOnlyWhenAllIsDone) {
  EXPECT_EQ(PercentDone({"x", 999, 1000, ""}), 99);
  EXPECT_EQ(PercentDone({"x", 1000, 1000, ""}), 100);
}

TEST(ProgressBarTest, UnknownTotalAndWildCountsStayInRange) {
  EXPECT_EQ(PercentDone({"x", 5, 0, ""}), 0);
  EXPECT_EQ(PercentDone({"x", -5, 10, ""}), 0);
  EXPECT_EQ(PercentDone({"x", 50, 10, ""}), 100);
}

TEST(ProgressBarTest, NeverExceedsTheWidth) {
  for (int width = 1; width < 120; ++width) {
    const std::string line = RenderProgressBar({"Käfer", 3, 9, "3/9, 210 images/s, 4s left"}, width);
    EXPECT_LE(DisplayWidth(line), width) << line;
  }
}

}  // namespace
}  // namespace graft::terminal
