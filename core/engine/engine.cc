#include "core/engine/engine.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/engine/devices.h"
#include "core/engine/openvino_engine.h"
#include "core/engine/torch_engine.h"

namespace graft::engine {

absl::string_view NameOf(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const weights::StoredWeights& weights,
                                                     const EngineTarget& target) {
  if (target.threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("engine: ", target.threads, " threads; give it at least one"));
  }
  RETURN_IF_ERROR(CheckDevice(target.device));
  if (!SupportsPrecision(target.device, target.precision)) {
    return PreconditionFailed(target.device, absl::StrCat("does not compute in ", NameOf(target.precision)));
  }
  return target.device == kCpu ? CreateOpenVinoEngine(weights, target) : CreateTorchEngine(weights, target);
}

std::string EngineId(const std::string& device, Precision precision) {
  return absl::StrCat(device == kCpu ? OpenVinoName() : TorchName(), "/", device.substr(0, device.find(':')), "/",
                      NameOf(precision));
}

bool SupportsPrecision(const std::string& device, Precision precision) {
  if (!CheckDevice(device).ok()) return false;
  return precision == Precision::kF32 || (device == kCpu ? ProcessorHasBf16() : GpuHasBf16(device));
}

bool IsBf16Faster(const std::string& device) {
  return SupportsPrecision(device, Precision::kBf16) && (device != kCpu || ProcessorHasMatrixUnit());
}

std::vector<std::pair<std::string, std::string>> LibraryVersions() {
  const auto version = [](const std::string& name) { return name.substr(name.find('-') + 1); };
  return {{"libtorch", version(TorchName())}, {"openvino", version(OpenVinoName())}};
}

}  // namespace graft::engine
