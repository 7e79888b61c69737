#include "server/main/devices.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"

namespace graft {

absl::StatusOr<DevicePlan> PlanDevices(const config::ServerConfig& config, const std::vector<std::string>& available,
                                       int cores) {
  DevicePlan plan;
  plan.training = config.devices == std::vector<std::string>{"auto"} ? available : config.devices;
  for (const std::string& device : plan.training) {
    if (std::find(available.begin(), available.end(), device) == available.end()) {
      return InvalidField(
          "--devices", absl::StrCat("this machine has no usable ", device, ", only ", absl::StrJoin(available, ", ")));
    }
  }
  const auto gpu = std::find_if(plan.training.begin(), plan.training.end(),
                                [](const std::string& device) { return absl::StartsWith(device, "cuda:"); });
  plan.serving = gpu == plan.training.end() ? "cpu" : *gpu;
  const int worker_cores = config.worker_cores > 0 ? config.worker_cores : cores;
  plan.cores_per_worker = std::max(1, worker_cores / std::max(1, static_cast<int>(plan.training.size())));
  plan.inference_threads = config.inference_threads > 0 ? config.inference_threads : cores;
  return plan;
}

}  // namespace graft
