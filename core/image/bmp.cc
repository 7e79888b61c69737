// BMP: header and length checked here, pixels by OpenCV.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/image/byte_reader.h"
#include "core/image/codec.h"
#include "core/image/opencv_decoder.h"

namespace graft::image {
namespace {

constexpr size_t kFileHeader = 14;
constexpr uint32_t kCoreHeader = 12;  // OS/2's, with 16-bit sizes
constexpr uint32_t kUncompressed = 0;
constexpr uint32_t kBitFields = 3;

struct BmpHeader {
  Size size;
  int64_t pixels_at = 0;
  uint32_t bits_per_pixel = 0;
  uint32_t compression = kUncompressed;
};

BmpHeader CoreHeader(absl::string_view info) {
  return {.size = {.height = Little16(info, 6), .width = Little16(info, 4)}, .bits_per_pixel = Little16(info, 10)};
}

BmpHeader InfoHeader(absl::string_view info) {
  // A negative height says that the rows run from the top.
  const int64_t height = static_cast<int32_t>(Little32(info, 8));
  return {.size = {.height = std::abs(height), .width = static_cast<int32_t>(Little32(info, 4))},
          .bits_per_pixel = Little16(info, 14),
          .compression = Little32(info, 16)};
}

absl::StatusOr<BmpHeader> ReadBmpHeader(absl::string_view bytes) {
  const absl::string_view info = Slice(bytes, kFileHeader);
  const uint32_t info_bytes = Little32(info, 0);
  if (info.size() < info_bytes || info_bytes < kCoreHeader) return BadImage("truncated BMP: it ends in its header");
  if (info_bytes != kCoreHeader && info_bytes < 40) return BadImage("damaged BMP: unknown header");
  BmpHeader header = info_bytes == kCoreHeader ? CoreHeader(info) : InfoHeader(info);
  header.pixels_at = Little32(bytes, 10);
  if (header.pixels_at < static_cast<int64_t>(kFileHeader + info_bytes)) {
    return BadImage("damaged BMP: its pixels start inside its header");
  }
  return header;
}

absl::Status CheckPixels(const BmpHeader& header, absl::string_view bytes) {
  if (header.compression != kUncompressed && header.compression != kBitFields) {
    return BadImage("compressed BMP (run-length, JPEG or PNG inside): save it as PNG or as plain BMP");
  }
  constexpr std::array<uint32_t, 6> kDepths = {1, 4, 8, 16, 24, 32};
  if (std::find(kDepths.begin(), kDepths.end(), header.bits_per_pixel) == kDepths.end()) {
    return BadImage(absl::StrCat("damaged BMP: ", header.bits_per_pixel, " bits per pixel"));
  }
  const int64_t row_bytes = (header.size.width * header.bits_per_pixel + 31) / 32 * 4;
  if (header.pixels_at + row_bytes * header.size.height > static_cast<int64_t>(bytes.size())) {
    return BadImage("truncated BMP: fewer pixels than its header says");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Size> BmpSize(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const BmpHeader header, ReadBmpHeader(bytes));
  return header.size;
}

absl::StatusOr<Decoded> DecodeBmp(absl::string_view bytes, const DecodeLimits& limits) {
  ASSIGN_OR_RETURN(const BmpHeader header, ReadBmpHeader(bytes));
  RETURN_IF_ERROR(CheckSize(header.size, limits));
  RETURN_IF_ERROR(CheckPixels(header, bytes));
  ASSIGN_OR_RETURN(Image image, DecodeWithOpenCv(bytes, header.size));
  return Decoded{.image = std::move(image)};
}

}  // namespace graft::image
