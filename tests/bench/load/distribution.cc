#include "tests/bench/load/distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace graft::bench {

nlohmann::json Distribution(std::vector<float> milliseconds) {
  nlohmann::json result = {{"count", milliseconds.size()}};
  if (milliseconds.empty()) return result;
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto size = static_cast<double>(milliseconds.size());
  const auto quantile = [&](double q) { return milliseconds[static_cast<size_t>(std::ceil(q * size)) - 1]; };
  result["mean_ms"] = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0) / size;
  result["p50_ms"] = quantile(0.5);
  result["p90_ms"] = quantile(0.9);
  result["p99_ms"] = quantile(0.99);
  result["max_ms"] = milliseconds.back();
  return result;
}

}  // namespace graft::bench
