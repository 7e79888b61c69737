// Runs a frozen backbone: images in, pooled features out. Plain C++ on the outside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/network/backbone_catalog.h"
#include "core/weights/weight_store.h"

namespace graft::engine {

// The arithmetic of a forward pass. Inputs and features are the same either way.
enum class Precision { kF32, kBf16 };
absl::string_view NameOf(Precision precision);  // "f32", "bf16"

// Where and how a backbone runs.
struct EngineTarget {
  std::string device = "cpu";  // or "cuda:N"
  Precision precision = Precision::kF32;
  int threads = 1;  // cores that this process gives to forward passes on the CPU
};

// How many cores one Run on the CPU may use. Of no consequence on CUDA.
enum class Cores {
  kOne,  // the calling thread's: for many callers at once
  kAll,  // EngineTarget.threads: for one caller alone
};

// One compiled backbone on one device. A row of the result depends on its own image and on `cores` alone, bit for bit:
// every forward pass has the same batch (1 on the CPU, a padded bucket on CUDA), whatever Run is given. kOne and kAll
// may differ by rounding. Thread-safe; kAll's passes take turns.
class Engine {
 public:
  virtual ~Engine() = default;

  // images: [count, size, size, 3] uint8 RGB; features: [count, feature_dimension] float32.
  // Internal if the library throws; ResourceExhausted when the device's memory is.
  virtual absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, Cores cores) = 0;

  virtual const network::BackboneFacts& facts() const = 0;
  // How many images one call should carry to fill the device: 1 on the CPU.
  virtual int preferred_batch() const = 0;
  // EngineId of its target.
  virtual const std::string& id() const = 0;
  // About how much memory it holds: weights and, per pass at a time, activations.
  virtual int64_t bytes() const = 0;
};

// Loads weights (digest checked) onto a device. InvalidArgument for a device that is neither "cpu" nor "cuda:N" and for
// fewer threads than one; FailedPrecondition for a device that this machine lacks or that lacks the precision.
absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const weights::StoredWeights& weights, const EngineTarget& target);

// "openvino-2026.4.1/cpu/f32": library, version, device type and precision; part of the feature cache's key. Looks at
// the names alone: the device need not be here.
std::string EngineId(const std::string& device, Precision precision);

// Whether the device computes in this precision without emulating it. False for a device that is not here.
bool SupportsPrecision(const std::string& device, Precision precision);

// Whether it does so faster in bf16 than in f32: a GPU that has it, an x86 processor that has AMX. With avx512_bf16
// alone MobileNetV2 runs at 0.7 times its speed in f32 (docs/performance.md).
bool IsBf16Faster(const std::string& device);

// "cpu" and one "cuda:N" for each usable GPU. Opens libtorch_cuda.so on first use where there is a GPU.
std::vector<std::string> AvailableDevices();

// {"libtorch": "2.11.0", "openvino": "2026.4.1"}
std::vector<std::pair<std::string, std::string>> LibraryVersions();

}  // namespace graft::engine
