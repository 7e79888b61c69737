// Which devices train and serve, and how the machine's cores are shared.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/config/server_config.h"

namespace graft {

struct DevicePlan {
  std::vector<std::string> training;  // one worker each
  std::string serving;                // the first GPU that trains, else the CPU
  int cores_per_worker = 1;
  int inference_threads = 1;
};

// Unless the settings say otherwise, workers and Classify may each use every core: workers run at a lower priority, so
// Classify comes first when both want them, and neither leaves cores idle when the other is.
// InvalidField("--devices") for a device that this machine lacks.
absl::StatusOr<DevicePlan> PlanDevices(const config::ServerConfig& config, const std::vector<std::string>& available,
                                       int cores);

}  // namespace graft
