// Any bytes: DecodeImage gives a picture of the size it says, within the limits, or InvalidArgument; and reduced it
// accepts the same bytes as at full size.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/image/decode.h"

using graft::image::DecodeImage;
using graft::image::DecodeLimits;
using graft::image::Image;

namespace {

constexpr DecodeLimits kLimits{.max_bytes = 1 << 20, .max_pixels = 250'000, .max_side = 2000, .max_jpeg_scans = 16};

void Check(const absl::StatusOr<Image>& image) {
  if (!image.ok()) {
    if (image.status().code() != absl::StatusCode::kInvalidArgument) std::abort();
    return;
  }
  const int64_t pixels = int64_t{image->height} * image->width;
  if (pixels < 1 || pixels > kLimits.max_pixels) std::abort();
  if (image->pixels.size() != static_cast<size_t>(pixels) * 3) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Image> full = DecodeImage(bytes, kLimits);
  const absl::StatusOr<Image> reduced = DecodeImage(bytes, kLimits, {.height = 16, .width = 16});
  Check(full);
  Check(reduced);
  if (full.ok() != reduced.ok()) std::abort();
  return 0;
}
