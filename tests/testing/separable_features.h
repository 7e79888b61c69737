// Made-up features of classes that a linear head can tell apart.
#pragma once

#include <random>

#include "core/train/head_trainer.h"

namespace graft::testing {

// Image i has label i % classes; its features are noise around 1 at the positions of its class, around 0 elsewhere.
inline train::LabelledFeatures SeparableFeatures(int images, int dimension, int classes, uint32_t seed) {
  std::mt19937 generator(seed);
  train::LabelledFeatures features{.dimension = dimension};
  for (int image = 0; image < images; ++image) {
    const int label = image % classes;
    features.labels.push_back(label);
    for (int i = 0; i < dimension; ++i) {
      const float noise = static_cast<float>(generator() % 1000) / 2000.0f - 0.25f;
      features.values.push_back((i % classes == label ? 1.0f : 0.0f) + noise);
    }
  }
  return features;
}

}  // namespace graft::testing
