// A photo on its way to a network: decoded no larger than needed, and stretched.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/image/decode.h"

namespace graft::image {

struct StretchTarget {
  int height = 0;  // at least 1
  int width = 0;
  bool reduce = true;  // may a JPEG be reduced while it is decoded?
};

struct StretchedImage {
  std::vector<uint8_t> pixels;  // [height, width, 3], RGB, upright
  int reduction = 1;            // 2, 4, 8: of the sides, while decoding
};

// Errors, limits (on the full size) and what counts as damage are DecodeImage's. Without `reduce` the pixels are those
// of DecodeImage and ResizeBilinear. With it, a JPEG is decoded at 1/2 if that leaves the target's size in both
// directions, at 1/4 or 1/8 if that leaves one and a half times as much, and ResizeReduced makes good for it: for a
// fraction of the time and memory the network sees nearly the same. Thread-safe.
absl::StatusOr<StretchedImage> DecodeStretched(absl::string_view bytes, const DecodeLimits& limits,
                                               const StretchTarget& target);

// The same pixels, written to where they are wanted: `out` has height * width * 3 bytes.
absl::Status DecodeStretched(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                             absl::Span<uint8_t> out);

// The upright picture as it is where it has no more pixels than the target, else DecodeStretched's.
absl::StatusOr<Image> DecodeAtMost(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target);

}  // namespace graft::image
