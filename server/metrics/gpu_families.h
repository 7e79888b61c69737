// Memory and utilisation of the machine's NVIDIA GPUs.
#pragma once

#include "server/metrics/nvml.h"
#include "server/metrics/sampled.h"

namespace graft::metrics {

Families GpuFamilies(const std::vector<GpuState>& gpus);

}  // namespace graft::metrics
