// NVIDIA's management library, opened at run time: what the driver says about the GPUs of this machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace graft::metrics {

struct GpuState {
  unsigned index = 0;  // the driver's, as nvidia-smi counts
  int64_t memory_bytes = 0, memory_used_bytes = 0;
  std::optional<double> utilization;  // 0 to 1: share of the last moment in which it computed; none where it is split
};

// Thread-safe: the library is.
class Nvml {
 public:
  // Null on a machine without the driver, or without a GPU.
  static std::unique_ptr<Nvml> Open();
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // Those that answer.
  std::vector<GpuState> Look() const;

 private:
  struct Functions;
  Nvml(void* library, std::unique_ptr<Functions> functions);

  void* const library_;
  const std::unique_ptr<Functions> functions_;
};

}  // namespace graft::metrics
