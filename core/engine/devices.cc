#include "core/engine/devices.h"

#include <dlfcn.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/engine/engine.h"
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

int CudaDevices() {
  if (!LoadCuda()) return 0;
  const absl::StatusOr<int> count = network::StatusFromThrow(absl::StatusCode::kInternal, "count GPUs", [] {
    return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  });
  return count.ok() ? *count : 0;
}

}  // namespace

absl::StatusOr<torch::Device> FindDevice(const std::string& name) {
  if (name == "cpu") return torch::Device(torch::kCPU);
  absl::string_view number = name;
  int index = -1;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &index) || index < 0 || index > 127) {
    return InvalidField("device", absl::StrCat("'", name, "' is not a device; use cpu or cuda:N"));
  }
  if (index >= CudaDevices()) {
    return PreconditionFailed(name,
                              absl::StrCat("not on this machine, which has ", absl::StrJoin(AvailableDevices(), ", ")));
  }
  return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
}

std::vector<std::string> AvailableDevices() {
  std::vector<std::string> devices = {"cpu"};
  for (int i = 0; i < CudaDevices(); ++i) devices.push_back(absl::StrCat("cuda:", i));
  return devices;
}

void ConfigureThreads(int threads) {
  torch::set_num_threads(std::max(1, threads));
  torch::set_num_interop_threads(1);
}

absl::string_view NameOf(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

std::string EngineId(const std::string& device, Precision precision) {
  return absl::StrCat("libtorch-", TORCH_VERSION, "/", device.substr(0, device.find(':')), "/", NameOf(precision));
}

bool SupportsPrecision(const std::string& device, Precision precision) {
  return FindDevice(device).ok() && precision == Precision::kF32;
}

std::vector<std::pair<std::string, std::string>> LibraryVersions() {
  return {{"libtorch", TORCH_VERSION}};
}

}  // namespace graft::engine
