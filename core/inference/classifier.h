// Classify: encoded image in, labels out. One trunk per backbone, precision and device; a small head per version.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/batching/fair_queue.h"
#include "core/engine/engine.h"
#include "core/image/decode.h"
#include "core/registry/registry.h"

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
  absl::Duration postprocess;                    // of forward: the head, and the order of its labels
};

struct Classification {
  std::string model_version;            // "models/m/versions/3"
  std::vector<Prediction> predictions;  // most probable first
  PhaseTimes times;
  int64_t forward_pass = 0;  // of the classifier's, from 1: images that rode together share it; 0: a kept response
};

inline constexpr int kDefaultTopK = 5;
inline constexpr int kMaxTopK = 1000;

struct ClassifierOptions {
  std::string weights_root;
  std::string device = "cpu";
  bool has_bf16 = false;  // the device; without it versions trained for bf16 are served in float32
  // Cores for decoding and, on the CPU, forward passes. There each lane does both, one image at a time, so that no more
  // threads compute than there are cores. On a GPU these only decode, beside one lane that runs batches.
  int threads = 1;
  int queue_capacity = 256;                           // images admitted and not answered
  int64_t queue_capacity_bytes = int64_t{256} << 20;  // of their encoded images
  image::DecodeLimits limits;
  int64_t max_head_bytes = int64_t{256} << 20;  // in memory; the least recently used leave first
  int64_t max_trunk_bytes = int64_t{8} << 30;   // likewise; those of a version aliased "production" stay
  int64_t response_cache_bytes = 0;             // answers to images seen before, for the same version; 0: none
  EngineFactory create_engine;                  // required
};

// What a classifier holds, and what it has done since it was made.
struct ClassifierStats {
  int images = 0;           // admitted and not answered
  int64_t image_bytes = 0;  // of them, encoded
  // Of them, those that wait: for decoding, for a trunk that is being loaded, for their forward pass.
  int waiting_decode = 0, waiting_trunk = 0, waiting_forward = 0;
  // Refused because of the limit on images or on bytes, or because the deadline would be missed.
  int64_t refused_images = 0, refused_bytes = 0, refused_deadline = 0;
  int64_t expired = 0;          // left at their deadline while they waited
  std::vector<int64_t> passes;  // [i]: forward passes of i + 1 images

  int trunks = 0;
  int64_t trunk_bytes = 0;
  int64_t trunk_loads = 0, trunk_load_failures = 0, trunks_removed = 0;
  absl::Duration trunk_load_time;  // of all loads

  int heads = 0;
  int64_t head_bytes = 0;
  std::set<std::string> models;  // with a head in memory
};

using batching::Priority;

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

// Heads and trunks are loaded on first use and shared; versions are immutable, aliases are looked up per call, so a
// promoted version answers the next call and a deleted one does not. While a trunk loads, requests for others go on.
// A request whose deadline passes or whose caller cancels while it waits leaves at once.
//
// Errors: InvalidField "model", "top_k", "image" or "pixels"; ResourceNotFound naming what exists; RetryLater when
// a capacity is used up or the deadline would be missed (ResourceExhausted), or the classifier is being destroyed
// (Unavailable); DeadlineExceeded; Cancelled; DataLoss for a damaged head or weights file. Thread-safe.
class Classifier {
 public:
  static std::unique_ptr<Classifier> Create(registry::Registry* registry, ClassifierOptions options);
  virtual ~Classifier() = default;

  // `done` is called exactly once: on a classifier thread, on the one that cancels, or at once on this one when
  // refused.
  virtual void Classify(ClassifyCall call, std::function<void(absl::StatusOr<Classification>)> done) = 0;

  // Loads what the model needs, so that its first Classify is as fast as the next. Reads the database and the head's
  // file on this thread; `done` is called on it or on a classifier thread.
  virtual void Load(const std::string& model, std::function<void(absl::Status)> done) = 0;

  // Lets go of the head of the version that `model` names, or of all of the model's, and of trunks that no other head
  // in memory needs and no "production" version is on. What is under way keeps its own; the next call loads again.
  // Reads the database on this thread.
  virtual absl::Status Unload(const std::string& model) = 0;

  // After a version was deleted: the same for it. A call that had found it before may bring it back into memory, until
  // others need the room.
  virtual void Forget(const std::string& model, int number) = 0;

  virtual int loaded_trunks() const = 0;
  virtual ClassifierStats stats() const = 0;
};

}  // namespace graft::inference
