// What every engine checks before a run. Implementation of engine.h.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/network/backbone_catalog.h"

namespace graft::engine {

// Of one image, uint8 RGB.
inline size_t ImageBytes(const network::BackboneFacts& facts) {
  const auto size = static_cast<size_t>(facts.input_size);
  return size * size * 3;
}

// InvalidArgument unless the buffers have room for exactly `count` images and their features.
inline absl::Status CheckBuffers(const network::BackboneFacts& facts, absl::Span<const uint8_t> images, int count,
                                 absl::Span<const float> features) {
  const size_t bytes = ImageBytes(facts), dimension = static_cast<size_t>(facts.feature_dimension);
  if (count >= 0 && images.size() == bytes * static_cast<size_t>(count) &&
      features.size() == dimension * static_cast<size_t>(count)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("engine: ", count, " images need ", bytes, " bytes and ", dimension,
                                                 " features each, got ", images.size(), " and ", features.size()));
}

}  // namespace graft::engine
