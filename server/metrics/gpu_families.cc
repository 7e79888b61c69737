#include "server/metrics/gpu_families.h"

#include "absl/strings/str_cat.h"

namespace graft::metrics {

Families GpuFamilies(const std::vector<GpuState>& gpus) {
  std::vector<Sample> memory, used, utilization;
  for (const GpuState& gpu : gpus) {
    const std::vector<prometheus::ClientMetric::Label> labels = {{"gpu", absl::StrCat(gpu.index)}};
    memory.push_back({static_cast<double>(gpu.memory_bytes), labels});
    used.push_back({static_cast<double>(gpu.memory_used_bytes), labels});
    if (gpu.utilization) utilization.push_back({*gpu.utilization, labels});
  }
  return {Gauge("graft_gpu_memory_bytes", "Memory of the GPU.", memory),
          Gauge("graft_gpu_memory_used_bytes", "Of it, in use by any process.", used),
          Gauge("graft_gpu_utilization_ratio", "Share of the last moment in which the GPU computed.", utilization)};
}

}  // namespace graft::metrics
