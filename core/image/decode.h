// Encoded bytes to an RGB image. The only place that sees client image bytes before pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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
};

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

// Full decode to RGB: EXIF orientation applied, CMYK/YCCK, grey, palette and 16-bit converted, alpha composed on
// white... see decode.cc for why; first frame of an animated WebP. A truncated or damaged image is InvalidArgument,
// never a partly grey picture. JPEG: libjpeg-turbo, accurate integer DCT, warnings are errors; the rest cv::imdecode
// after ReadHeader. Thread-safe.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits);

}  // namespace graft::image
