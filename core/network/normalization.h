// The arithmetic of a backbone's in-graph normalisation.
#pragma once

#include <array>

#include "core/network/backbone_catalog.h"

namespace graft::network {

// normalised = scale[c] * value + shift[c] for a uint8 value of channel c (RGB).
struct ChannelAffine {
  std::array<float, 3> scale, shift;
};
inline ChannelAffine AffineOf(Normalization normalization) {
  ChannelAffine affine{};
  constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};
  for (size_t c = 0; c < 3; ++c) {
    const bool image_net = normalization == Normalization::kImageNet;
    affine.scale[c] = static_cast<float>(image_net ? 1 / (255 * kDeviation[c]) : 1 / 127.5);
    affine.shift[c] = static_cast<float>(image_net ? -kMean[c] / kDeviation[c] : -1);
  }
  return affine;
}

}  // namespace graft::network
