#include "client/commands/sweep.h"

#include <string>
#include <vector>

#include "tests/testing/status_matchers.h"

namespace graft::commands {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseSweepTest, ValuesAreTakenAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(const v1::SweptField swept, ParseSweep("weight_decay=0/1e-4/0.5"));
  EXPECT_EQ(swept.field(), "weight_decay");
  EXPECT_THAT(swept.values(), ElementsAre(0, 1e-4, 0.5));
  ASSERT_OK_AND_ASSIGN(const v1::SweptField one, ParseSweep("lr=3e-4"));
  EXPECT_EQ(one.field(), "learning_rate");
  EXPECT_THAT(one.values(), ElementsAre(3e-4));
}

TEST(ParseSweepTest, RangeIsSpacedLogarithmicallyAndKeepsItsEnds) {
  ASSERT_OK_AND_ASSIGN(const v1::SweptField swept, ParseSweep("learning_rate=1e-4:1e-1:4"));
  EXPECT_THAT(swept.values(), ElementsAre(1e-4, DoubleNear(1e-3, 1e-12), DoubleNear(1e-2, 1e-11), 1e-1));
}

TEST(ParseSweepTest, WhatIsNeitherIsRefusedWithBothForms) {
  for (const char* text : {"", "lr", "lr=", "=1", "lr=1/x", "lr=1//2", "lr=1:2", "lr=1:2:3:4", "lr=0:1:4", "lr=2:1:4",
                           "lr=1:2:1", "lr=1:2:257", "lr=1:inf:4", "lr=a:b:c"}) {
    EXPECT_THAT(ParseSweep(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                           AllOf(HasSubstr("--sweep"), HasSubstr("lr=A/B/C or lr=LOW:HIGH:COUNT"))))
        << text;
  }
}

}  // namespace
}  // namespace graft::commands
