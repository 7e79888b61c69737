#include "core/workflow/start_version.h"

#include "core/train/random_order.h"
#include "tests/testing/status_matchers.h"

namespace graft::workflow {
namespace {

using ::testing::ElementsAre;

TEST(StartVersionTest, HeadKeepsTheColumnsOfSharedClasses) {
  const StartVersion start{.labels = {"ant", "bee"},
                           .head = {.dimension = 3, .classes = 2, .kernel = {1, 2, 3, 4, 5, 6}, .bias = {0.5, 0.25}}};
  const train::Head head = HeadFor({"bee", "cat", "ant"}, start, /*seed=*/4);
  const std::vector<float> random = train::GlorotUniform(4, 3, 3);
  EXPECT_EQ(head.dimension, 3);
  EXPECT_EQ(head.classes, 3);
  EXPECT_THAT(head.kernel, ElementsAre(2, random[1], 1, 4, random[4], 3, 6, random[7], 5));
  EXPECT_THAT(head.bias, ElementsAre(0.25F, 0, 0.5F));
}

TEST(StartVersionTest, ProbabilitiesFollowTheLabels) {
  EXPECT_THAT(InOrderOf({"ant", "bee", "cat"}, {"cat", "ant", "bee"}, {1, 2, 3, 4, 5, 6}),
              ElementsAre(2, 3, 1, 5, 6, 4));
}

}  // namespace
}  // namespace graft::workflow
