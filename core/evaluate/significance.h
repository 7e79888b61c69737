// Whether two classifiers differ by more than chance on the same photos. Plain C++, thread-safe.
#pragma once

#include <vector>

namespace graft::evaluate {

struct McNemarResult {
  int only_first_right = 0, only_second_right = 0;  // the discordant images
  bool exact = false;
  double statistic = 0;  // exact: the smaller count; otherwise chi-squared of one degree of freedom
  double p_value = 1;    // two-sided
};

// McNemar's test of paired predictions. Below 25 discordant images the exact binomial test, else chi-squared with
// Edwards' continuity correction, (|b - c| - 1)^2 / (b + c), which is not applied where b = c (as R's mcnemar.test).
// Source: McNemar 1947; Edwards 1948; the bound of 25 is statsmodels' and Fleiss' advice.
inline constexpr int kFewestForChiSquared = 25;
McNemarResult McNemar(int only_first_right, int only_second_right);

// The same of whether each image was right. Equal sizes.
McNemarResult McNemar(const std::vector<bool>& first_right, const std::vector<bool>& second_right);

}  // namespace graft::evaluate
