#include "core/image/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/base/random.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/image/opencv_decoder.h"
#include "core/image/pixel_operations.h"
#include "core/image/resize.h"
#include "core/image/trivial_augment.h"

namespace graft::image {
namespace {

// Each operation's random numbers.
enum Stream : uint64_t { kCrop, kFlip, kWarp, kColour, kTrivial, kErase };

RandomStream StreamOf(uint64_t seed, Stream stream) {
  return RandomStream(RandomKey({seed, stream}));
}

constexpr int kAttempts = 10;  // torchvision's, for crops and erased rectangles that fit

double LogUniform(RandomStream& random, double low, double high) {
  return std::exp(random.Uniform(std::log(low), std::log(high)));
}

// The largest middle part whose ratio is allowed.
Region MiddlePart(const AugmentSpec& spec) {
  const double ratio = std::clamp(1.0, spec.min_crop_ratio, spec.max_crop_ratio);
  const double height = std::min(1.0, 1 / ratio), width = std::min(1.0, ratio);
  return {.top = (1 - height) / 2, .left = (1 - width) / 2, .height = height, .width = width};
}

// Source: torchvision.transforms.RandomResizedCrop.get_params, on a picture of side 1.
Region RandomCrop(const AugmentSpec& spec, uint64_t seed) {
  RandomStream random = StreamOf(seed, kCrop);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double area = random.Uniform(spec.min_crop_area, spec.max_crop_area);
    const double ratio = LogUniform(random, spec.min_crop_ratio, spec.max_crop_ratio);
    const double height = std::sqrt(area / ratio), width = std::sqrt(area * ratio);
    if (height > 1 || width > 1) continue;
    const double top = random.Uniform(0, 1 - height), left = random.Uniform(0, 1 - width);
    return {.top = top, .left = left, .height = height, .width = width};
  }
  return MiddlePart(spec);
}

// So that the smallest crop has as many pixels as the input, up to twice its sides.
StretchTarget TargetToCropFrom(const StretchTarget& input, const AugmentSpec& spec) {
  const double factor = std::min(2.0, 1 / std::sqrt(spec.min_crop_area));
  const auto larger = [factor](int side) { return static_cast<int>(std::ceil(side * factor)); };
  return {.height = larger(input.height), .width = larger(input.width), .reduce = input.reduce};
}

void RandomWarp(const AugmentSpec& spec, uint64_t seed, const Pixels& pixels) {
  if (spec.rotation == 0 && spec.zoom == 0) return;
  RandomStream random = StreamOf(seed, kWarp);
  const double degrees = random.Uniform(-spec.rotation, spec.rotation);
  const double zoom = random.Uniform(1 - spec.zoom, 1 + spec.zoom);
  Warp(pixels, TurnAndZoom(pixels, degrees, zoom));
}

void RandomColours(const AugmentSpec& spec, uint64_t seed, const Pixels& pixels) {
  RandomStream random = StreamOf(seed, kColour);
  const auto factor = [&random](double range) { return random.Uniform(1 - range, 1 + range); };
  const double brightness = factor(spec.brightness), contrast = factor(spec.contrast);
  const double saturation = factor(spec.saturation), hue = random.Uniform(-spec.hue, spec.hue);
  std::array<int, 4> order = {0, 1, 2, 3};
  for (size_t last = order.size() - 1; last > 0; --last) std::swap(order[last], order[random.Below(last + 1)]);
  for (const int operation : order) {
    if (operation == 0 && spec.brightness > 0) ScaleBrightness(pixels, brightness);
    if (operation == 1 && spec.contrast > 0) ScaleContrast(pixels, contrast);
    if (operation == 2 && spec.saturation > 0) ScaleSaturation(pixels, saturation);
    if (operation == 3 && spec.hue > 0) TurnHue(pixels, hue);
  }
}

struct Rectangle {
  int top = 0, left = 0, height = 0, width = 0;
};

void FillWithNoise(const Pixels& pixels, const Rectangle& rectangle, RandomStream& random) {
  uint64_t bytes = 0;
  int available = 0;
  for (int y = rectangle.top; y < rectangle.top + rectangle.height; ++y) {
    uint8_t* row = pixels.data + (static_cast<ptrdiff_t>(y) * pixels.width + rectangle.left) * 3;
    for (int i = 0; i < rectangle.width * 3; ++i, bytes >>= 8, --available) {
      if (available == 0) {
        bytes = random.Next();
        available = 8;
      }
      row[i] = static_cast<uint8_t>(bytes);
    }
  }
}

// Source: Zhong et al. 2017, algorithm 1, with the ranges of torchvision.transforms.RandomErasing.
void RandomErase(const AugmentSpec& spec, uint64_t seed, const Pixels& pixels) {
  RandomStream random = StreamOf(seed, kErase);
  if (!random.Chance(spec.erase)) return;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double area = random.Uniform(0.02, 0.33) * pixels.height * pixels.width;
    const double ratio = LogUniform(random, 0.3, 3.3);
    Rectangle rectangle{.height = static_cast<int>(std::lround(std::sqrt(area * ratio))),
                        .width = static_cast<int>(std::lround(std::sqrt(area / ratio)))};
    if (rectangle.height >= pixels.height || rectangle.width >= pixels.width) continue;
    rectangle.top = static_cast<int>(random.Below(static_cast<uint64_t>(pixels.height - rectangle.height + 1)));
    rectangle.left = static_cast<int>(random.Below(static_cast<uint64_t>(pixels.width - rectangle.width + 1)));
    return FillWithNoise(pixels, rectangle, random);
  }
}

void AugmentOrThrow(const AugmentSpec& spec, uint64_t seed, const Pixels& pixels) {
  if (StreamOf(seed, kFlip).Chance(spec.flip)) Mirror(pixels);
  RandomWarp(spec, seed, pixels);
  RandomColours(spec, seed, pixels);
  if (spec.trivial_augment) {
    RandomStream random = StreamOf(seed, kTrivial);
    TrivialAugment(pixels, random);
  }
  RandomErase(spec, seed, pixels);
}

}  // namespace

absl::StatusOr<Image> DecodeForAugment(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                                       const AugmentSpec& spec) {
  if (spec.crops()) return DecodeAtMost(bytes, limits, TargetToCropFrom(target, spec));
  ASSIGN_OR_RETURN(StretchedImage stretched, DecodeStretched(bytes, limits, target));
  return Image{.height = target.height, .width = target.width, .pixels = std::move(stretched.pixels)};
}

absl::Status MakeInput(const Image& picture, const AugmentSpec& spec, uint64_t seed, int height, int width,
                       absl::Span<uint8_t> input) {
  if (spec.crops()) {
    ResizeRegion(picture, RandomCrop(spec, seed), height, width, input);
  } else {
    std::copy(picture.pixels.begin(), picture.pixels.end(), input.begin());
  }
  return Augment(spec, seed, input, height, width);
}

absl::Status DecodeAugmented(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                             const AugmentSpec& spec, uint64_t seed, absl::Span<uint8_t> input) {
  if (!spec.crops()) {
    RETURN_IF_ERROR(DecodeStretched(bytes, limits, target, input));
    return Augment(spec, seed, input, target.height, target.width);
  }
  ASSIGN_OR_RETURN(const Image picture, DecodeForAugment(bytes, limits, target, spec));
  return MakeInput(picture, spec, seed, target.height, target.width, input);
}

absl::Status Augment(const AugmentSpec& spec, uint64_t seed, absl::Span<uint8_t> pixels, int height, int width) {
  if (spec.off()) return absl::OkStatus();
  return StatusFromThrow(absl::StatusCode::kInternal, "augment image", [&] {
    QuietenOnce();
    AugmentOrThrow(spec, seed, {.data = pixels.data(), .height = height, .width = width});
  });
}

}  // namespace graft::image
