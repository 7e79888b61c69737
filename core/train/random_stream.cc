#include "core/train/random_stream.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/random.h"

namespace graft::train {

RandomStream::RandomStream(std::initializer_list<uint64_t> keys) : generator_(RandomKey(keys)) {}

// Draws from the incomplete last interval are thrown away.
uint64_t RandomStream::Below(uint64_t bound) {
  const uint64_t limit = std::mt19937_64::max() - std::mt19937_64::max() % bound;
  uint64_t draw = generator_();
  while (draw >= limit) draw = generator_();
  return draw % bound;
}

double RandomStream::Unit() {
  return static_cast<double>(generator_() >> 11) * 0x1.0p-53;
}

// Box and Muller 1958, one of the pair.
double RandomStream::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Unit()));
  return radius * std::cos(2 * std::numbers::pi * Unit());
}

double RandomStream::Beta(double a, double b) {
  const double first = Gamma(a), second = Gamma(b);
  const double sum = first + second;
  return sum > 0 ? first / sum : static_cast<double>(Below(2));  // both vanished: shapes near 0 draw only 0 and 1
}

// Marsaglia and Tsang 2000; below shape 1 by their boost of shape + 1.
double RandomStream::Gamma(double shape) {
  if (shape < 1) {
    const double larger = Gamma(shape + 1);
    return larger * std::pow(1 - Unit(), 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double normal = Normal();
    const double cubed = std::pow(1 + c * normal, 3);
    if (cubed <= 0) continue;
    if (std::log(1 - Unit()) < 0.5 * normal * normal + d * (1 - cubed + std::log(cubed))) return d * cubed;
  }
}

}  // namespace graft::train
