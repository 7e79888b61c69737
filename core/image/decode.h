// Encoded bytes to an RGB image. The only place that sees client image bytes before pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft::image {

// 8-bit RGB, row-major, no padding: pixels.size() == height * width * 3. height, width >= 1.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;
};

struct DecodeLimits {
  int64_t max_bytes = 10 << 20;     // of the encoded image
  int64_t max_pixels = 50'000'000;  // width * height
  int max_side = 16384;
  int max_jpeg_scans = 64;  // progressive scans cost time without bytes
  // Of the thread's processor, for one JPEG. Other formats read each pixel once, so that max_pixels bounds theirs.
  absl::Duration max_jpeg_time = absl::Seconds(2);
};

// Of memory, while decoding: a progressive JPEG's coefficients (8), its pixels, and those turned upright (3 each).
inline constexpr int kMostDecodeBytesPerPixel = 15;

enum class Format { kJpeg, kPng, kWebp, kBmp };
absl::string_view FormatName(Format format);  // "jpeg", "png", "webp", "bmp"

struct Header {
  Format format;
  int height = 0;  // as stored, before EXIF orientation
  int width = 0;
};

// Format by magic bytes (only JPEG, PNG, WebP, BMP) and size from the header, checked against the limits; allocates
// nothing of the image's size. InvalidArgument otherwise, saying what it looks like (GIF, TIFF, ...) and what to do.
absl::StatusOr<Header> ReadHeader(absl::string_view bytes, const DecodeLimits& limits);

// Full decode to RGB, with what tf.io.decode_image(channels=3) gives (training and serving follow Keras): alpha and
// transparent colours are dropped, not composed on a background; 16 bits keep their high byte; grey and palette are
// expanded; colour profiles and gamma are ignored. Unlike TensorFlow, EXIF orientation is applied (bad EXIF counts as
// none), CMYK and YCCK are converted, and an animation gives its first frame, black around it where it is smaller.
//
// A truncated or damaged image is InvalidArgument, never a partly grey picture; a run-length BMP too. JPEG goes through
// libjpeg-turbo (accurate integer DCT; only warnings that cost no pixel pass), the rest through cv::imdecode after our
// own walk over the file's structure. Holds at most kMostDecodeBytesPerPixel. Thread-safe; sets OpenCV's thread count
// to 1 and its log level to silent, once per process.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits);

}  // namespace graft::image
