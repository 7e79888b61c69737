#include "core/train/epoch_rows.h"

#include "core/base/random.h"
#include "core/train/random_order.h"

namespace graft::train {

std::vector<int64_t> EpochRows(uint32_t seed, int epoch, int images, int views) {
  std::vector<int64_t> rows = EpochOrder(seed, epoch, images);
  if (views == 1) return rows;
  const auto count = static_cast<uint64_t>(views);
  for (int64_t& row : rows) {
    const uint64_t first = RandomKey({seed, static_cast<uint64_t>(row)}) % count;
    row += static_cast<int64_t>((first + static_cast<uint64_t>(epoch)) % count) * images;
  }
  return rows;
}

}  // namespace graft::train
