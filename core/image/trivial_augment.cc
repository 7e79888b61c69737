#include "core/image/trivial_augment.h"

#include <cmath>

namespace graft::image {
namespace {

// Order of torchvision's table.
enum class Operation {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColour,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize,
};
static_assert(static_cast<int>(Operation::kEqualize) + 1 == kTrivialOperations);

}  // namespace

void ApplyTrivial(const Pixels& pixels, int operation, int strength, int sign) {
  const double share = static_cast<double>(strength) / (kTrivialStrengths - 1);
  const double shear = sign * 0.99 * share, pixels_moved = sign * 32 * share, factor = 1 + sign * 0.99 * share;
  switch (static_cast<Operation>(operation)) {
    case Operation::kIdentity:
      return;
    case Operation::kShearX:
      return Warp(pixels, {.xy = shear});
    case Operation::kShearY:
      return Warp(pixels, {.yx = shear});
    case Operation::kTranslateX:
      return Warp(pixels, {.x0 = -pixels_moved});
    case Operation::kTranslateY:
      return Warp(pixels, {.y0 = -pixels_moved});
    case Operation::kRotate:
      return Warp(pixels, TurnAndZoom(pixels, sign * 135 * share, 1));
    case Operation::kBrightness:
      return ScaleBrightness(pixels, factor);
    case Operation::kColour:
      return ScaleSaturation(pixels, factor);
    case Operation::kContrast:
      return ScaleContrast(pixels, factor);
    case Operation::kSharpness:
      return ScaleSharpness(pixels, factor);
    case Operation::kPosterize:
      return KeepHighBits(pixels, 8 - static_cast<int>(std::lround(6 * share)));
    case Operation::kSolarize:
      return InvertFrom(pixels, static_cast<int>(std::ceil(255 * (1 - share))));
    case Operation::kAutoContrast:
      return StretchContrast(pixels);
    case Operation::kEqualize:
      return EqualizeHistogram(pixels);
  }
}

void TrivialAugment(const Pixels& pixels, RandomStream& random) {
  const auto operation = static_cast<int>(random.Below(kTrivialOperations));
  const auto strength = static_cast<int>(random.Below(kTrivialStrengths));
  ApplyTrivial(pixels, operation, strength, random.Chance(0.5) ? 1 : -1);
}

}  // namespace graft::image
