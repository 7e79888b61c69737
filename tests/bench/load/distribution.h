// The usual percentiles, as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace graft::bench {

// {"count", "mean_ms", "p50_ms", "p90_ms", "p99_ms", "max_ms"}; nearest rank. Without samples the count alone.
nlohmann::json Distribution(std::vector<float> milliseconds);

}  // namespace graft::bench
