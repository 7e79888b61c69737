// From encoded bytes to a network's input: the one function that training, evaluation and serving call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/augment.h"
#include "core/image/decode.h"
#include "core/image/stretched.h"

namespace graft::network {

// A JPEG is reduced in the DCT as far as the input's size allows (image::DecodeStretched), or decoded at full size.
inline constexpr char kScaledDecode[] = "scaled";
inline constexpr char kFullDecode[] = "full";

// Stored with every model version; scaling and normalisation live inside the network.
struct PreprocessSpec {
  int height = 224;
  int width = 224;
  std::string resize = "bilinear";  // stretched, bilinear, no antialias (Keras' default), as near as `decode` allows
  std::string decode = kScaledDecode;

  bool operator==(const PreprocessSpec&) const = default;
};

// A stable text of the spec, part of the feature cache's key.
std::string KeyOf(const PreprocessSpec& spec);

// [height, width, 3] uint8 RGB. InvalidArgument for what cannot be decoded. Thread-safe.
absl::StatusOr<std::vector<uint8_t>> ToInput(absl::string_view encoded, const PreprocessSpec& spec,
                                             const image::DecodeLimits& limits);

// The same of an augmented copy of the photo, for training alone. The augmentation is valid; `seed` is
// image::AugmentSeed's.
absl::StatusOr<std::vector<uint8_t>> ToInput(absl::string_view encoded, const PreprocessSpec& spec,
                                             const image::DecodeLimits& limits, const image::AugmentSpec& augment,
                                             uint64_t seed);

// Where decoded photos go: the input's size, and whether `decode` lets a JPEG be reduced on the way.
image::StretchTarget TargetOf(const PreprocessSpec& spec);

}  // namespace graft::network
