#include "core/image/stretched.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/image/codec.h"
#include "core/image/orientation.h"
#include "core/image/resize.h"

namespace graft::image {
namespace {

std::vector<uint8_t> Room(const StretchTarget& target) {
  return std::vector<uint8_t>(static_cast<size_t>(target.height) * static_cast<size_t>(target.width) * 3);
}

MinimumSize MinimumOf(const StretchTarget& target) {
  return target.reduce ? MinimumSize{.height = target.height, .width = target.width} : MinimumSize{};
}

// As stored, then upright: where a side is no multiple of the reduction, it is the stored picture's last row or column
// that stands for less.
void StretchReduced(Decoded decoded, const StretchTarget& target, absl::Span<uint8_t> out) {
  const ReducedImage reduced{.image = std::move(decoded.image),
                             .height = static_cast<double>(decoded.full.height) / decoded.reduction,
                             .width = static_cast<double>(decoded.full.width) / decoded.reduction};
  if (decoded.orientation == 1) return ResizeReduced(reduced, target.height, target.width, out);
  const bool turned = SwapsSides(decoded.orientation);
  Image stored{.height = turned ? target.width : target.height,
               .width = turned ? target.height : target.width,
               .pixels = Room(target)};
  ResizeReduced(reduced, stored.height, stored.width, absl::MakeSpan(stored.pixels));
  const Image upright = Upright(std::move(stored), decoded.orientation);
  std::copy(upright.pixels.begin(), upright.pixels.end(), out.begin());
}

void Stretch(Decoded decoded, const StretchTarget& target, absl::Span<uint8_t> out) {
  if (decoded.reduction > 1) return StretchReduced(std::move(decoded), target, out);
  const Image upright = Upright(std::move(decoded.image), decoded.orientation);
  ResizeBilinear(upright, target.height, target.width, out);
}

bool HasMorePixels(const Decoded& decoded, const StretchTarget& target) {
  if (decoded.reduction > 1) return true;
  return int64_t{decoded.image.height} * decoded.image.width > int64_t{target.height} * target.width;
}

}  // namespace

absl::StatusOr<StretchedImage> DecodeStretched(absl::string_view bytes, const DecodeLimits& limits,
                                               const StretchTarget& target) {
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&]() -> absl::StatusOr<StretchedImage> {
    ASSIGN_OR_RETURN(Decoded decoded, DecodeStored(bytes, limits, MinimumOf(target)));
    StretchedImage stretched{.pixels = Room(target), .reduction = decoded.reduction};
    Stretch(std::move(decoded), target, absl::MakeSpan(stretched.pixels));
    return stretched;
  });
}

absl::Status DecodeStretched(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                             absl::Span<uint8_t> out) {
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(Decoded decoded, DecodeStored(bytes, limits, MinimumOf(target)));
    Stretch(std::move(decoded), target, out);
    return absl::OkStatus();
  });
}

absl::StatusOr<Image> DecodeAtMost(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target) {
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&]() -> absl::StatusOr<Image> {
    ASSIGN_OR_RETURN(Decoded decoded, DecodeStored(bytes, limits, MinimumOf(target)));
    if (!HasMorePixels(decoded, target)) return Upright(std::move(decoded.image), decoded.orientation);
    Image image{.height = target.height, .width = target.width, .pixels = Room(target)};
    Stretch(std::move(decoded), target, absl::MakeSpan(image.pixels));
    return image;
  });
}

}  // namespace graft::image
