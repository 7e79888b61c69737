#include "core/evaluate/significance.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace graft::evaluate {
namespace {

// P(X <= most) of a fair coin thrown `throws` times.
double BinomialTail(int most, int throws) {
  double coefficient = 1, sum = 0;
  for (int heads = 0; heads <= most; ++heads) {
    sum += coefficient;
    coefficient = coefficient * (throws - heads) / (heads + 1);
  }
  return std::ldexp(sum, -throws);
}

}  // namespace

McNemarResult McNemar(int only_first_right, int only_second_right) {
  McNemarResult result{.only_first_right = only_first_right, .only_second_right = only_second_right};
  const int discordant = only_first_right + only_second_right;
  const int difference = std::abs(only_first_right - only_second_right);
  result.exact = discordant < kFewestForChiSquared;
  if (result.exact) {
    const int smaller = std::min(only_first_right, only_second_right);
    result.statistic = smaller;
    result.p_value = std::min(1.0, 2 * BinomialTail(smaller, discordant));
  } else {
    const double corrected = difference == 0 ? 0 : difference - 1;
    result.statistic = corrected * corrected / discordant;
    result.p_value = std::erfc(std::sqrt(result.statistic / 2));  // the tail of chi-squared with one degree of freedom
  }
  return result;
}

McNemarResult McNemar(const std::vector<bool>& first_right, const std::vector<bool>& second_right) {
  int only_first_right = 0, only_second_right = 0;
  for (size_t i = 0; i < first_right.size(); ++i) {
    only_first_right += first_right[i] && !second_right[i] ? 1 : 0;
    only_second_right += second_right[i] && !first_right[i] ? 1 : 0;
  }
  return McNemar(only_first_right, only_second_right);
}

}  // namespace graft::evaluate
