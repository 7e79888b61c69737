#include "core/network/blocks.h"

#include <regex>

namespace graft::network {
namespace {

// "" for layers of the stem and the top.
std::string BlockName(const std::string& layer) {
  static const std::regex& pattern = *new std::regex("(expanded_conv|block_\\d+|block\\d[a-z]|conv\\d_block\\d+)_.*");
  std::smatch match;
  return std::regex_match(layer, match, pattern) ? match[1].str() : "";
}

}  // namespace

std::vector<Block> BlocksOf(const Architecture& architecture) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < architecture.layers.size(); ++i) {
    const std::string name = BlockName(architecture.layers[i].name);
    const int layer = static_cast<int>(i);
    if (name.empty()) continue;
    if (blocks.empty() || blocks.back().name != name) blocks.push_back({.name = name, .first = layer});
    blocks.back().last = layer;
  }
  return blocks;
}

}  // namespace graft::network
