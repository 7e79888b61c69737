#include "core/base/random.h"

#include <limits>

namespace graft {
namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

}  // namespace

uint64_t Mix64(uint64_t value) {
  value += kStep;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint64_t RandomKey(std::initializer_list<uint64_t> parts) {
  uint64_t key = 0;
  for (const uint64_t part : parts) key = Mix64(key ^ part);
  return key;
}

uint64_t RandomStream::Next() {
  return Mix64(key_ + kStep * draws_++);
}

double RandomStream::Unit() {
  return static_cast<double>(Next() >> 11) * 0x1.0p-53;
}

double RandomStream::Uniform(double low, double high) {
  return low + (high - low) * Unit();
}

// Draws from the incomplete last interval are thrown away.
uint64_t RandomStream::Below(uint64_t bound) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  const uint64_t limit = kMost - kMost % bound;
  uint64_t draw = Next();
  while (draw >= limit) draw = Next();
  return draw % bound;
}

bool RandomStream::Chance(double probability) {
  return Unit() < probability;
}

}  // namespace graft
