#include "server/metrics/nvml.h"

#include <dlfcn.h>

#include <utility>

namespace graft::metrics {
namespace {

// The part of nvml.h that is used here; the library keeps these versions of its functions.
using NvmlReturn = int;  // 0: success
using NvmlDevice = void*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlUtilization {
  unsigned gpu, memory;  // percent
};

}  // namespace

struct Nvml::Functions {
  NvmlReturn (*init)();
  NvmlReturn (*shutdown)();
  NvmlReturn (*device_count)(unsigned* count);
  NvmlReturn (*device)(unsigned index, NvmlDevice* device);
  NvmlReturn (*memory)(NvmlDevice device, NvmlMemory* memory);
  NvmlReturn (*utilization)(NvmlDevice device, NvmlUtilization* utilization);

  bool Load(void* library) {
    return Find(library, "nvmlInit_v2", init) && Find(library, "nvmlShutdown", shutdown) &&
           Find(library, "nvmlDeviceGetCount_v2", device_count) &&
           Find(library, "nvmlDeviceGetHandleByIndex_v2", device) && Find(library, "nvmlDeviceGetMemoryInfo", memory) &&
           Find(library, "nvmlDeviceGetUtilizationRates", utilization);
  }

 private:
  template <typename Function>
  static bool Find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

std::unique_ptr<Nvml> Nvml::Open() {
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  auto functions = std::make_unique<Functions>();
  if (!functions->Load(library) || functions->init() != 0) {
    dlclose(library);
    return nullptr;
  }
  std::unique_ptr<Nvml> nvml(new Nvml(library, std::move(functions)));
  return nvml->Look().empty() ? nullptr : std::move(nvml);
}

Nvml::Nvml(void* library, std::unique_ptr<Functions> functions) : library_(library), functions_(std::move(functions)) {}

Nvml::~Nvml() {
  functions_->shutdown();
  dlclose(library_);
}

std::vector<GpuState> Nvml::Look() const {
  std::vector<GpuState> states;
  unsigned count = 0;
  if (functions_->device_count(&count) != 0) return states;
  for (unsigned index = 0; index < count; ++index) {
    NvmlDevice device = nullptr;
    NvmlMemory memory{};
    if (functions_->device(index, &device) != 0 || functions_->memory(device, &memory) != 0) continue;
    GpuState& state = states.emplace_back();
    state.index = index;
    state.memory_bytes = static_cast<int64_t>(memory.total);
    state.memory_used_bytes = static_cast<int64_t>(memory.used);
    NvmlUtilization utilization{};
    if (functions_->utilization(device, &utilization) == 0) state.utilization = utilization.gpu / 100.0;
  }
  return states;
}

}  // namespace graft::metrics
