// Classify: encoded image in, labels out. One trunk per backbone and device, a small head per version.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/image/decode.h"
#include "core/registry/registry.h"

namespace graft::engine {
class Engine;
struct EngineTarget;
}  // namespace graft::engine
namespace graft::weights {
struct StoredWeights;
}

namespace graft::inference {

using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<engine::Engine>>(
    const weights::StoredWeights& weights, const engine::EngineTarget& target)>;

struct Prediction {
  std::string label;
  float probability = 0;
  int index = 0;
};

struct PhaseTimes {
  absl::Duration decode, queue, forward, total;  // queue: also for a trunk that is being loaded
};

struct Classification {
  std::string model_version;            // "models/m/versions/3"
  std::vector<Prediction> predictions;  // most probable first
  PhaseTimes times;
};

struct ClassifierOptions {
  std::string weights_root;
  std::string device = "cpu";
  int threads = 1;           // decode + forward lanes
  int queue_capacity = 256;  // images waiting; past it RetryLater(ResourceExhausted)
  image::DecodeLimits limits;
  int64_t max_head_bytes = 256 << 20;  // heads in memory; the least recently used leave first
  EngineFactory create_engine;         // empty: engine::CreateEngine
};

enum class Priority {
  kInteractive,  // somebody waits for this one answer
  kBatch,        // one of many: after every interactive one, but never starved
};

// Either `image` or `pixels` is given.
struct ClassifyCall {
  std::string model;            // reference as the user wrote it
  std::string image;            // encoded bytes
  std::vector<uint8_t> pixels;  // [input_size, input_size, 3] RGB, needs no decoding
  int top_k = 0;                // 0 means 5; 1 to 1000
  absl::Time deadline = absl::InfiniteFuture();
  Priority priority = Priority::kInteractive;
  std::shared_ptr<Cancellation> cancellation;  // may be null
};

// Heads and trunks are loaded on first use and shared; versions are immutable, aliases are looked up per call. While a
// trunk loads, requests for others go on. A request whose deadline passes while it waits is answered at its deadline.
//
// Errors: InvalidField "model", "top_k", "image" or "pixels"; ResourceNotFound naming what exists; RetryLater when
// queue_capacity images wait already (ResourceExhausted) or the classifier is being destroyed (Unavailable);
// DeadlineExceeded; Cancelled; DataLoss for a damaged head or weights file. Thread-safe.
class Classifier {
 public:
  static std::unique_ptr<Classifier> Create(registry::Registry* registry, ClassifierOptions options);
  virtual ~Classifier() = default;

  // `done` is called exactly once, on a classifier thread (or at once, on this one, when refused).
  virtual void Classify(ClassifyCall call, std::function<void(absl::StatusOr<Classification>)> done) = 0;

  // Loads what the model needs, so that its first Classify is as fast as the next. `done` as for Classify.
  virtual void Load(const std::string& model, std::function<void(absl::Status)> done) = 0;

  virtual int loaded_trunks() const = 0;
};

}  // namespace graft::inference
