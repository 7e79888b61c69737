#include "core/train/random_order.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "core/train/random_stream.h"

namespace graft::train {
namespace {

constexpr int kInitialValues = 0;  // stream numbers: epochs are 1, 2, ...

}  // namespace

std::vector<int64_t> EpochOrder(uint32_t seed, int epoch, int count) {
  RandomStream stream({seed, static_cast<uint64_t>(epoch)});
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int last = count - 1; last > 0; --last) std::swap(order[last], order[stream.Below(last + 1)]);
  return order;
}

std::vector<float> GlorotUniform(uint32_t seed, int rows, int columns) {
  RandomStream stream({seed, kInitialValues});
  const double limit = std::sqrt(6.0 / (rows + columns));
  std::vector<float> values(static_cast<size_t>(rows) * columns);
  for (float& value : values) value = static_cast<float>((2 * stream.Unit() - 1) * limit);
  return values;
}

}  // namespace graft::train
