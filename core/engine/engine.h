// Runs a frozen backbone: images in, pooled features out. Plain C++ on the outside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/network/backbone_catalog.h"
#include "core/weights/weight_store.h"

namespace graft::engine {

// One compiled backbone on one device. A row of the result depends on its own image alone, bit for bit: every forward
// pass has the same batch (1 on the CPU, a padded bucket on CUDA), whatever Run is given. Thread-safe: on the CPU
// concurrent Runs use one core each.
class Engine {
 public:
  virtual ~Engine() = default;

  // images: [count, size, size, 3] uint8 RGB; features: [count, feature_dimension] float32.
  // Internal if the library throws; ResourceExhausted when the device's memory is.
  virtual absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features) = 0;

  virtual const network::BackboneFacts& facts() const = 0;
  // How many images one call should carry to fill the device: 1 on the CPU.
  virtual int preferred_batch() const = 0;
  // "libtorch-2.11.0/cpu/f32": engine, version, device type and precision; part of the feature cache's key.
  virtual const std::string& id() const = 0;
};

// Loads weights (digest checked) onto a device: "cpu", "cuda:0". InvalidArgument for another name,
// FailedPrecondition for a device this machine does not have.
absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const weights::StoredWeights& weights, const std::string& device);

// The id() that CreateEngine's engine on this device has, without making one: "cpu" and "cuda:N" are all it looks at.
std::string EngineId(const std::string& device);

// "cpu" and one "cuda:N" for each usable GPU. Opens libtorch_cuda.so on first use where there is a GPU.
std::vector<std::string> AvailableDevices();

// Call once at the start of main, before any other LibTorch use: intra-op threads of this process. The CPU engine
// always runs one thread per forward pass; this is what head training uses.
void ConfigureThreads(int threads);

// {"libtorch": "2.11.0", ...}
std::vector<std::pair<std::string, std::string>> LibraryVersions();

}  // namespace graft::engine
