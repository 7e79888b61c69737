// LibTorch's engine: that of GPUs and, as the reference that others are compared with, of the CPU. Implementation of
// engine.h.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"

namespace graft::engine {

// What EngineId calls it: "libtorch-2.11.0".
std::string TorchName();

// How many usable GPUs there are. Opens libtorch_cuda.so on first use where there is a driver.
int CudaDevices();

// Whether the GPU `device` computes convolutions in bfloat16.
bool GpuHasBf16(const std::string& device);

// As CreateEngine, on any device, whose name was checked; bfloat16 is emulated where the device lacks it.
absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const weights::StoredWeights& weights,
                                                          const EngineTarget& target);

}  // namespace graft::engine
