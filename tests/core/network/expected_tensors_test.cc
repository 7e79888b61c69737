#include "core/network/expected_tensors.h"

#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

TEST(ExpectedTensorsTest, NamesAreKerasAndAxesLibTorchs) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture("mobilenet_v2", /*with_top=*/true));
  const auto tensors = ExpectedTensors(architecture);
  EXPECT_EQ(tensors.size(), 262U);
  EXPECT_EQ(tensors.at("block_3_expand/kernel"), (Shape{144, 24, 1, 1}));
  EXPECT_EQ(tensors.at("expanded_conv_depthwise/depthwise_kernel"), (Shape{32, 1, 3, 3}));
  EXPECT_EQ(tensors.at("Conv_1_bn/moving_variance"), (Shape{1280}));
  EXPECT_EQ(tensors.at("predictions/kernel"), (Shape{1000, 1280}));
}

TEST(CheckTensorsTest, EveryKindOfDifferenceIsNamed) {
  EXPECT_OK(CheckTensors({{"a", {1, 2}}}, {{"a", {1, 2}}}));
  EXPECT_THAT(CheckTensors({{"a", {1, 2}}, {"b", {}}}, {{"a", {2, 1}}, {"c", {3}}}),
              StatusIs(kDataLoss, AllOf(HasSubstr("a: expected [1, 2], got [2, 1]"), HasSubstr("missing b []"),
                                        HasSubstr("unexpected c [3]"))));
}

TEST(CheckTensorsTest, LongListsAreCut) {
  std::map<std::string, Shape> expected;
  for (char name = 'a'; name <= 'z'; ++name) expected[std::string(1, name)] = {1};
  EXPECT_THAT(CheckTensors(expected, {}), StatusIs(kDataLoss, AllOf(HasSubstr("missing h"), HasSubstr("18 more"))));
}

}  // namespace
}  // namespace graft::network
