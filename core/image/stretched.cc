#include "core/image/stretched.h"

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

std::vector<uint8_t> StretchFull(Decoded decoded, const StretchTarget& target) {
  const Image upright = Upright(std::move(decoded.image), decoded.orientation);
  std::vector<uint8_t> pixels = Room(target);
  ResizeBilinear(upright, target.height, target.width, absl::MakeSpan(pixels));
  return pixels;
}

// As stored, then upright: where a side is no multiple of the reduction, it is the stored picture's last row or column
// that stands for less.
std::vector<uint8_t> StretchReduced(Decoded decoded, const StretchTarget& target) {
  const ReducedImage reduced{.image = std::move(decoded.image),
                             .height = static_cast<double>(decoded.full.height) / decoded.reduction,
                             .width = static_cast<double>(decoded.full.width) / decoded.reduction};
  const bool turned = SwapsSides(decoded.orientation);
  Image stored{.height = turned ? target.width : target.height,
               .width = turned ? target.height : target.width,
               .pixels = Room(target)};
  ResizeReduced(reduced, stored.height, stored.width, absl::MakeSpan(stored.pixels));
  return Upright(std::move(stored), decoded.orientation).pixels;
}

}  // namespace

absl::StatusOr<StretchedImage> DecodeStretched(absl::string_view bytes, const DecodeLimits& limits,
                                               const StretchTarget& target) {
  const MinimumSize minimum =
      target.reduce ? MinimumSize{.height = target.height, .width = target.width} : MinimumSize{};
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&]() -> absl::StatusOr<StretchedImage> {
    ASSIGN_OR_RETURN(Decoded decoded, DecodeStored(bytes, limits, minimum));
    const int reduction = decoded.reduction;
    return StretchedImage{
        .pixels = reduction == 1 ? StretchFull(std::move(decoded), target) : StretchReduced(std::move(decoded), target),
        .reduction = reduction};
  });
}

}  // namespace graft::image
