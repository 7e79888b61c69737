// Random numbers as a pure function of what they are for: no state to save, the same on every platform but for the last
// bits of Normal and Beta, which use <cmath>.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>

namespace graft::train {

// One thread at a time.
class RandomStream {
 public:
  // `keys`: seed, purpose, and what tells one draw from the next (epoch, step). Equal keys give equal numbers.
  explicit RandomStream(std::initializer_list<uint64_t> keys);

  uint64_t Below(uint64_t bound);   // uniform in 0 .. bound-1
  double Unit();                    // uniform in [0, 1), 53 bits
  double Normal();                  // mean 0, variance 1
  double Beta(double a, double b);  // a, b > 0

 private:
  double Gamma(double shape);

  // The C++ standard fixes its output but not that of its distributions and std::shuffle: those are ours.
  std::mt19937_64 generator_;
};

}  // namespace graft::train
