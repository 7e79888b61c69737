// Any bytes: DecodeImage gives a picture of the size it says, within the limits, or InvalidArgument; and
// DecodeStretched takes and refuses the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/image/decode.h"
#include "core/image/stretched.h"

using graft::image::DecodeImage;
using graft::image::DecodeLimits;
using graft::image::DecodeStretched;
using graft::image::Image;
using graft::image::StretchedImage;

namespace {

constexpr DecodeLimits kLimits{.max_bytes = 1 << 20, .max_pixels = 250'000, .max_side = 2000, .max_jpeg_scans = 16};

void Check(bool good, const absl::Status& status) {
  if (status.ok() ? !good : status.code() != absl::StatusCode::kInvalidArgument) std::abort();
}

bool IsGood(const Image& image) {
  const int64_t pixels = int64_t{image.height} * image.width;
  return pixels >= 1 && pixels <= kLimits.max_pixels && image.pixels.size() == static_cast<size_t>(pixels) * 3;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Image> image = DecodeImage(bytes, kLimits);
  Check(image.ok() && IsGood(*image), image.status());
  const absl::StatusOr<StretchedImage> stretched = DecodeStretched(bytes, kLimits, {.height = 16, .width = 12});
  Check(stretched.ok() && stretched->pixels.size() == 16 * 12 * 3, stretched.status());
  if (image.ok() != stretched.ok()) std::abort();
  return 0;
}
