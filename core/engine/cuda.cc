#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <torch/torch.h>

#include "core/engine/torch_engine.h"
#include "core/network/torch_status.h"

namespace graft::engine {
namespace {

// LibTorch's CUDA half registers itself when it is loaded. Loading takes seconds and gigabytes of address space, so it
// waits until somebody asks, and needs a driver to be of any use. Stays loaded: it cannot be unloaded.
bool LoadCuda() {
  static const bool loaded = [] {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == nullptr) return false;
    return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr;
  }();
  return loaded;
}

}  // namespace

int CudaDevices() {
  if (!LoadCuda()) return 0;
  const absl::StatusOr<int> count = network::StatusFromThrow(absl::StatusCode::kInternal, "count GPUs", [] {
    return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  });
  return count.ok() ? *count : 0;
}

bool GpuHasBf16(const std::string& device) {
  const absl::StatusOr<bool> has = network::StatusFromThrow(absl::StatusCode::kInternal, "ask the GPU", [&] {
    const c10::DeviceGuard guard{torch::Device(device)};
    return at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
  });
  return has.ok() && *has;
}

}  // namespace graft::engine
