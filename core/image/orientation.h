// EXIF orientation: found in untrusted metadata, undone on pixels.
#pragma once

#include "absl/strings/string_view.h"
#include "core/image/decode.h"

namespace graft::image {

// The orientation (1..8) in an EXIF block: a TIFF header and its first directory, with or without "Exif\0\0" before.
// 1, as stored, for whatever is absent, damaged or out of range: bad metadata does not spoil a good photo.
int ExifOrientation(absl::string_view exif);

// Whether the upright picture's height is the stored one's width.
bool SwapsSides(int orientation);

// The picture turned and mirrored so that it stands upright. Source: EXIF 2.32, tag 0x0112.
Image Upright(Image image, int orientation);

}  // namespace graft::image
