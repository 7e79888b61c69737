// What each format's file offers to decode.cc. Input is untrusted; nothing throws but bad_alloc.
#pragma once

#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/decode.h"

namespace graft::image {

struct Size {
  int64_t height = 0;
  int64_t width = 0;
};

// How small a decode may leave a picture: a target size, upright. By default no reduction will do.
struct MinimumSize {
  int height = std::numeric_limits<int>::max();
  int width = std::numeric_limits<int>::max();
};

struct Decoded {
  Image image;
  int orientation = 1;  // EXIF, not yet applied to the image
  // Each pixel is the mean of reduction x reduction of the `full` picture's; sides are rounded up.
  int reduction = 1;
  Size full;  // set where there is a reduction
};

// InvalidArgument of field "image".
absl::Status BadImage(absl::string_view reason);

// The size within `limits`, or the error that names the limit.
absl::Status CheckSize(const Size& size, const DecodeLimits& limits);

// What DecodeImage does, up to turning the picture upright. May throw bad_alloc. A JPEG comes out at the least of 1/8,
// 1/4, 1/2 that is not below `minimum` in either direction, reduced in the DCT; whatever else at full size. 1/8 and 1/4
// must leave one and a half times the minimum: just above it they lose detail that a network sees, and save little.
absl::StatusOr<Decoded> DecodeStored(absl::string_view bytes, const DecodeLimits& limits, const MinimumSize& minimum);

// Size from the header alone. Decode... checks it against the limits before it allocates anything of that size.
absl::StatusOr<Size> JpegSize(absl::string_view bytes);
absl::StatusOr<Decoded> DecodeJpeg(absl::string_view bytes, const DecodeLimits& limits, const MinimumSize& minimum);

absl::StatusOr<Size> PngSize(absl::string_view bytes);
absl::StatusOr<Decoded> DecodePng(absl::string_view bytes, const DecodeLimits& limits);

absl::StatusOr<Size> WebpSize(absl::string_view bytes);
absl::StatusOr<Decoded> DecodeWebp(absl::string_view bytes, const DecodeLimits& limits);

absl::StatusOr<Size> BmpSize(absl::string_view bytes);
absl::StatusOr<Decoded> DecodeBmp(absl::string_view bytes, const DecodeLimits& limits);

}  // namespace graft::image
