// What each format's file offers to decode.cc. Input is untrusted; nothing throws but bad_alloc.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/decode.h"

namespace graft::image {

struct Size {
  int64_t height = 0;
  int64_t width = 0;
};

struct Decoded {
  Image image;
  int orientation = 1;  // EXIF, not yet applied to the image
};

// InvalidArgument of field "image".
absl::Status BadImage(absl::string_view reason);

// The size within `limits`, or the error that names the limit.
absl::Status CheckSize(const Size& size, const DecodeLimits& limits);

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
