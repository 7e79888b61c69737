// Augmentation: a photo's changed copies, which keep its label. For training only; never on validation or test photos.
//
// A photo becomes a network's input in two steps. DecodeForAugment gives the picture that all of its copies are made
// from; it is the same for every copy and worth keeping (dataset::Loader does). MakeInput cuts the crop out of it,
// stretches that to the input's size in one go, so that a crop of a larger photo has the photo's pixels, and augments
// the result. Where the spec says no crop, the first step stretches already. Where it is off altogether, the input is
// exactly DecodeStretched's.
//
// Everything random is a function of (spec, seed) alone: of no thread, batch or machine. AugmentSeed makes the seed of
// one photo in one epoch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/image/decode.h"
#include "core/image/stretched.h"

namespace graft::image {

// All off by default. Each operation has random numbers of its own: turning one on does not change another's.
struct AugmentSpec {
  // Random resized crop (Szegedy et al. 2015): the share of the photo's area, and width over height relative to the
  // whole photo's, which is stretched to the input as well: a crop of ratio 1 has the shape that evaluation sees. Off
  // where all four are 1. As torchvision's RandomResizedCrop on the stretched photo.
  double min_crop_area = 1, max_crop_area = 1;    // above 0, at most 1
  double min_crop_ratio = 1, max_crop_ratio = 1;  // 0.1 to 10
  double flip = 0;                                // probability of a mirror image, left and right changed
  double rotation = 0;                            // degrees: uniform within +-rotation; 0 to 180
  double zoom = 0;                                // magnified by a factor within 1 +- zoom; 0 to 0.9
  // Colour jitter: factors within 1 +- x, 0 to 1; hue: turned by at most this share of the circle, 0 to 0.5. In a
  // random order, as torchvision's ColorJitter.
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  // One operation of a random kind and strength (Mueller & Hutter 2021): operations and ranges are those of
  // torchvision's TrivialAugmentWide; what comes from outside the picture is its mirror image, not black.
  bool trivial_augment = false;
  // Random erasing (Zhong et al. 2017): the probability that a rectangle of 2 to 33 % of the area, with sides in a
  // ratio of 0.3 to 3.3, becomes noise.
  double erase = 0;

  bool operator==(const AugmentSpec&) const = default;
  bool off() const { return *this == AugmentSpec{}; }
  bool crops() const;
};

// InvalidField("augment.<field>") with the range.
absl::Status Validate(const AugmentSpec& spec);

// A stable text of all that the pixels depend on besides the seed, for cache keys: "none" where the spec is off.
std::string KeyOf(const AugmentSpec& spec);

// The specs that users choose by name:
//   none    off
//   light   mirrored, cropped to 70 % or more of the area, turned by up to 10 degrees
//   medium  light with crops from 50 % on, and colour jitter of 0.2 without hue
//   strong  crops from 35 % on, mirrored, TrivialAugment, erased one time in four
// InvalidField("augment") that lists them.
absl::StatusOr<AugmentSpec> NamedAugment(absl::string_view name);
std::vector<std::string> AugmentNames();

// The seed of one photo (its SHA-256 in hex) in one epoch, or for one view of it, of a run with this seed.
uint64_t AugmentSeed(uint32_t run_seed, absl::string_view sha256, int epoch);

// The picture that copies of this photo are made of. Without crops: stretched to the target (DecodeStretched). With
// them: upright, stretched to as much more than the target as the smallest crop needs, at most twice its sides; as it
// is where it has no more pixels than that. Errors are DecodeImage's. Thread-safe.
absl::StatusOr<Image> DecodeForAugment(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                                       const AugmentSpec& spec);

// One copy, from DecodeForAugment's picture for the same target and spec. `input` is [height, width, 3]. The spec is
// valid. Internal if OpenCV throws. Thread-safe, single-threaded.
absl::Status MakeInput(const Image& picture, const AugmentSpec& spec, uint64_t seed, int height, int width,
                       absl::Span<uint8_t> input);

// Both steps; without a copy in between where the spec does not crop.
absl::Status DecodeAugmented(absl::string_view bytes, const DecodeLimits& limits, const StretchTarget& target,
                             const AugmentSpec& spec, uint64_t seed, absl::Span<uint8_t> input);

// All but the crop, in place: mirrored, turned and zoomed (bilinear, the border mirrored), colours, TrivialAugment,
// erased. `pixels` is [height, width, 3] RGB.
absl::Status Augment(const AugmentSpec& spec, uint64_t seed, absl::Span<uint8_t> pixels, int height, int width);

}  // namespace graft::image
