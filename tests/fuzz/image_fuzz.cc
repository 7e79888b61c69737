// Any bytes: DecodeImage gives a picture of the size it says, within the limits, or InvalidArgument.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using graft::image::DecodeImage;
  using graft::image::DecodeLimits;
  using graft::image::Image;
  const DecodeLimits limits{.max_bytes = 1 << 20, .max_pixels = 250'000, .max_side = 2000, .max_jpeg_scans = 16};
  const absl::StatusOr<Image> image = DecodeImage({reinterpret_cast<const char*>(data), size}, limits);
  if (!image.ok()) {
    if (image.status().code() != absl::StatusCode::kInvalidArgument) std::abort();
    return 0;
  }
  const int64_t pixels = int64_t{image->height} * image->width;
  if (pixels < 1 || pixels > limits.max_pixels) std::abort();
  if (image->pixels.size() != static_cast<size_t>(pixels) * 3) std::abort();
  return 0;
}
