#include "core/image/orientation.h"

#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/image/byte_reader.h"

namespace graft::image {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShortType = 3;
constexpr size_t kEntryBytes = 12;

// Where the upright picture's pixel (y, x) comes from: first + y * down + x * right, in pixels.
struct Walk {
  ptrdiff_t first;
  ptrdiff_t down;
  ptrdiff_t right;
};

Walk WalkOf(int orientation, ptrdiff_t height, ptrdiff_t width) {
  const ptrdiff_t last_row = (height - 1) * width;
  const ptrdiff_t last = height * width - 1;
  switch (orientation) {
    case 2:
      return {width - 1, width, -1};
    case 3:
      return {last, -width, -1};
    case 4:
      return {last_row, -width, 1};
    case 5:
      return {0, 1, width};
    case 6:
      return {last_row, 1, -width};
    case 7:
      return {last, -1, -width};
    default:  // 8
      return {width - 1, -1, width};
  }
}

}  // namespace

int ExifOrientation(absl::string_view exif) {
  const absl::string_view tiff = absl::StripPrefix(exif, absl::string_view("Exif\0\0", 6));
  const bool little = absl::StartsWith(tiff, "II");
  if (!little && !absl::StartsWith(tiff, "MM")) return 1;
  const auto read16 = [&](size_t offset) { return little ? Little16(tiff, offset) : Big16(tiff, offset); };
  const auto read32 = [&](size_t offset) { return little ? Little32(tiff, offset) : Big32(tiff, offset); };
  if (read16(2) != 42) return 1;
  const size_t directory = read32(4);
  const size_t entries = read16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > tiff.size()) return 1;
    if (read16(entry) != kOrientationTag) continue;
    const uint32_t value = read16(entry + 8);
    const bool valid = read16(entry + 2) == kShortType && read32(entry + 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

bool SwapsSides(int orientation) {
  return orientation >= 5 && orientation <= 8;
}

Image Upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool turned = SwapsSides(orientation);
  Image upright{.height = turned ? image.width : image.height,
                .width = turned ? image.height : image.width,
                .pixels = std::vector<uint8_t>(image.pixels.size())};
  const Walk walk = WalkOf(orientation, image.height, image.width);
  uint8_t* target = upright.pixels.data();
  for (ptrdiff_t y = 0; y < upright.height; ++y) {
    const uint8_t* source = image.pixels.data() + (walk.first + y * walk.down) * 3;
    for (ptrdiff_t x = 0; x < upright.width; ++x) {
      const uint8_t* pixel = source + x * walk.right * 3;
      *target++ = pixel[0];
      *target++ = pixel[1];
      *target++ = pixel[2];
    }
  }
  return upright;
}

}  // namespace graft::image
