// What a model version adds to its trunk: labels and one dense softmax layer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/engine.h"
#include "core/inference/classifier.h"
#include "core/network/preprocess.h"
#include "core/registry/registry.h"

namespace graft::inference {

// Immutable.
struct LoadedHead {
  std::string model;
  std::string model_version;  // "models/m/versions/3"
  std::string backbone;
  std::string backbone_sha256;
  std::string backbone_path;  // of the version's own backbone; empty: in the weight store
  network::PreprocessSpec preprocess;
  engine::Precision precision = engine::Precision::kF32;  // of the features it was trained on
  std::vector<std::string> labels;
  int dimension = 0;
  std::vector<float> kernel;  // [dimension, labels.size()]
  std::vector<float> bias;    // [labels.size()]
  float temperature = 1;      // above 0

  int64_t bytes() const;
};

// Reads head.safetensors (digest checked) and the manifest. DataLoss if they are damaged or do not fit each other.
absl::StatusOr<std::shared_ptr<const LoadedHead>> LoadHead(const registry::ModelVersion& version);

// softmax((features x kernel + bias) / temperature), most probable first, at most `top_k`; equal logits by index, so
// the order does not depend on the temperature. `features` has `dimension` values.
std::vector<Prediction> Predict(const LoadedHead& head, absl::Span<const float> features, int top_k);

}  // namespace graft::inference
