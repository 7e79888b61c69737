// Classify: encoded image in, labels out. One trunk per backbone and device, a small head per version.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/image/decode.h"
#include "core/registry/registry.h"

namespace graft::inference {

struct Prediction {
  std::string label;
  float probability = 0;
  int index = 0;
};

struct PhaseTimes {
  absl::Duration decode, queue, forward, total;
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
};

struct ClassifyCall {
  std::string model;  // reference as the user wrote it
  std::string image;  // encoded bytes; owned by the call
  int top_k = 0;      // 0 means 5; 1 to 1000
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // may be empty
};

// Thread-safe. Heads and trunks are loaded on first use and shared; versions are immutable, aliases are looked up per
// call.
class Classifier {
 public:
  static std::unique_ptr<Classifier> Create(registry::Registry* registry, ClassifierOptions options);
  virtual ~Classifier() = default;

  // `done` is called exactly once, on a classifier thread (or at once, on this one, when refused).
  virtual void Classify(ClassifyCall call, std::function<void(absl::StatusOr<Classification>)> done) = 0;

  virtual int loaded_trunks() const = 0;
};

}  // namespace graft::inference
