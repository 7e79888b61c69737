// cv::imdecode behind a Status.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/codec.h"

namespace graft::image {

// Before OpenCV's functions are used: no threads of its own, since pictures are worked on by our pools, and no line on
// stderr for a client's broken picture.
void QuietenOnce();

// `bytes` is one whole PNG, WebP or BMP whose structure was checked and whose header says `size`. Alpha is dropped,
// 16 bits keep their high byte, orientation is left alone. InvalidArgument if it cannot be decoded to that size.
absl::StatusOr<Image> DecodeWithOpenCv(absl::string_view bytes, const Size& size);

}  // namespace graft::image
