// Random numbers as pure functions of a key: no state to save, the same on every platform and thread.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace graft {

// Spreads neighbouring values apart. Source: Steele, Lea, Flood 2014 (SplitMix64's step and finaliser).
uint64_t Mix64(uint64_t value);

// One key of several parts; their order counts.
uint64_t RandomKey(std::initializer_list<uint64_t> parts);

// The numbers of one key: SplitMix64 with its counter in the open. One thread at a time; copies go on alike.
class RandomStream {
 public:
  explicit RandomStream(uint64_t key) : key_(key) {}

  uint64_t Next();
  // In [0, 1), 53 bits.
  double Unit();
  // In [low, high); `low` where they are equal.
  double Uniform(double low, double high);
  // In 0 .. bound-1, unbiased; bound >= 1.
  uint64_t Below(uint64_t bound);
  // True in this share of the cases.
  bool Chance(double probability);

 private:
  const uint64_t key_;
  uint64_t draws_ = 0;
};

}  // namespace graft
