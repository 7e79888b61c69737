// The residual and inverted-residual blocks of a backbone, told apart by Keras' layer names. No LibTorch.
#pragma once

#include <string>
#include <vector>

#include "core/network/architecture.h"

namespace graft::network {

struct Block {
  std::string name;         // "expanded_conv", "block_14"; "block6h"; "conv5_block2"
  int first = 0, last = 0;  // its layers: indices into the architecture's
};

// In the order of the graph; its layers are consecutive, and the only value that it reads from before is its input.
// What comes before the first block is the stem, what comes after the last the top: MobileNetV2's Conv_1,
// EfficientNetV2's top_conv and ResNet50V2's post_bn.
std::vector<Block> BlocksOf(const Architecture& architecture);

}  // namespace graft::network
