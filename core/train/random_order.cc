#include "core/train/random_order.h"

#include <cmath>
#include <numeric>
#include <random>
#include <utility>

namespace graft::train {
namespace {

// The C++ standard fixes mt19937_64's output but not that of its distributions and std::shuffle: those are ours.
using Generator = std::mt19937_64;

constexpr int kInitialValues = 0;  // stream numbers: epochs are 1, 2, ...

// Source: Steele, Lea, Flood 2014 (SplitMix64's finaliser). Spreads neighbouring seeds and streams apart.
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

Generator GeneratorOf(uint32_t seed, int stream) {
  return Generator(Mix(Mix(seed) ^ static_cast<uint64_t>(stream)));
}

// Uniform in 0 .. bound-1: draws from the incomplete last interval are thrown away.
uint64_t DrawBelow(Generator& generator, uint64_t bound) {
  const uint64_t limit = Generator::max() - Generator::max() % bound;
  uint64_t draw = generator();
  while (draw >= limit) draw = generator();
  return draw % bound;
}

// Uniform in [0, 1), 53 bits.
double DrawUnit(Generator& generator) {
  return static_cast<double>(generator() >> 11) * 0x1.0p-53;
}

}  // namespace

std::vector<int64_t> EpochOrder(uint32_t seed, int epoch, int count) {
  Generator generator = GeneratorOf(seed, epoch);
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int last = count - 1; last > 0; --last) std::swap(order[last], order[DrawBelow(generator, last + 1)]);
  return order;
}

std::vector<float> GlorotUniform(uint32_t seed, int rows, int columns) {
  Generator generator = GeneratorOf(seed, kInitialValues);
  const double limit = std::sqrt(6.0 / (rows + columns));
  std::vector<float> values(static_cast<size_t>(rows) * columns);
  for (float& value : values) value = static_cast<float>((2 * DrawUnit(generator) - 1) * limit);
  return values;
}

}  // namespace graft::train
