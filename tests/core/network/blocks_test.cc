#include "core/network/blocks.h"

#include "core/network/backbone_catalog.h"
#include "tests/testing/status_matchers.h"

namespace graft::network {
namespace {

class EveryBackbonesBlocks : public ::testing::TestWithParam<int> {
 protected:
  const BackboneFacts facts_ = Backbones()[static_cast<size_t>(GetParam())];
};
INSTANTIATE_TEST_SUITE_P(Catalog, EveryBackbonesBlocks, ::testing::Range(0, 3),
                         [](const auto& info) { return Backbones()[static_cast<size_t>(info.param)].name; });

TEST_P(EveryBackbonesBlocks, FollowEachOtherAndReadOnlyTheirInputFromBefore) {
  ASSERT_OK_AND_ASSIGN(const Architecture architecture, FindArchitecture(facts_.name));
  const std::vector<Block> blocks = BlocksOf(architecture);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i > 0) {
      EXPECT_EQ(blocks[i].first, blocks[i - 1].last + 1) << blocks[i].name;
    }
    for (int layer = blocks[i].first; layer <= blocks[i].last; ++layer) {
      for (const int input : architecture.layers[static_cast<size_t>(layer)].inputs) {
        EXPECT_GE(input, blocks[i].first - 1) << architecture.layers[static_cast<size_t>(layer)].name;
      }
    }
  }
  EXPECT_GT(blocks.front().first, 1);                        // there is a stem
  EXPECT_LT(blocks.back().last + 1, architecture.features);  // and a top before the pooling
}

TEST(BlocksTest, AreKerasBlocks) {
  const auto names = [](const char* backbone) {
    const std::vector<Block> blocks = BlocksOf(FindArchitecture(backbone).value());
    return std::make_tuple(blocks.size(), blocks.front().name, blocks.back().name);
  };
  EXPECT_EQ(names("mobilenet_v2"), std::make_tuple(17, "expanded_conv", "block_16"));
  EXPECT_EQ(names("efficientnet_v2_b0"), std::make_tuple(21, "block1a", "block6h"));
  EXPECT_EQ(names("resnet50_v2"), std::make_tuple(16, "conv2_block1", "conv5_block3"));
}

}  // namespace
}  // namespace graft::network
