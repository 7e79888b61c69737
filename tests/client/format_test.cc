#include "client/terminal/format.h"

#include <gtest/gtest.h>

#include <limits>

namespace graft::terminal {
namespace {

TEST(FormatTest, DurationsChangeUnitWithLength) {
  EXPECT_EQ(terminal::FormatDuration(absl::Milliseconds(840)), "840ms");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(0.9996)), "1.0s");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(9.94)), "9.9s");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(9.96)), "10s");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(59.6)), "1m 00s");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(185)), "3m 05s");
  EXPECT_EQ(terminal::FormatDuration(absl::Minutes(130)), "2h 10m");
  EXPECT_EQ(terminal::FormatDuration(absl::Seconds(-1)), "-");
  EXPECT_EQ(terminal::FormatDuration(absl::InfiniteDuration()), "-");
}

TEST(FormatTest, BytesUseBinaryUnits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(12 << 20), "12.0 MiB");
}

TEST(FormatTest, CountsHaveThousandsSeparators) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(2263108), "2,263,108");
  EXPECT_EQ(FormatCount(-100), "-100");
  EXPECT_EQ(FormatCount(-1000), "-1,000");
}

TEST(FormatTest, MetricThatIsNoNumberIsADash) {
  EXPECT_EQ(FormatMetric(0.97304), "0.9730");
  EXPECT_EQ(FormatMetric(std::numeric_limits<double>::quiet_NaN()), "-");
}

TEST(FormatTest, UnsetTimeIsADash) {
  EXPECT_EQ(terminal::FormatTime(absl::UnixEpoch()), "-");
}

TEST(FormatTest, PrintableKeepsTextAndReplacesControlsAndBrokenUtf8) {
  EXPECT_EQ(Printable("Käfer 猫.jpg"), "Käfer 猫.jpg");
  EXPECT_EQ(Printable("a\tb\x7f"), "a?b?");
  EXPECT_EQ(Printable("cut \xc3"), "cut ?");
  EXPECT_EQ(Printable("\xff\x80x"), "??x");
  EXPECT_EQ(Printable("\xc2\x9bm"), "??m");  // the 8-bit form of ESC [
}

}  // namespace
}  // namespace graft::terminal
