#include <array>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/random.h"
#include "core/base/status_macros.h"
#include "core/image/augment.h"

namespace graft::image {
namespace {

// Counts the changes of what a spec gives: features of the pixels before must not be taken for those of now.
constexpr int kRevision = 1;

// Written so that NaN fails.
absl::Status InRange(absl::string_view name, double value, double least, double most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidField(absl::StrCat("augment.", name),
                      absl::StrCat(value, " is out of range: use ", least, " to ", most));
}

absl::Status CheckCrop(const AugmentSpec& spec) {
  constexpr double kLeastArea = 0.01, kMostRatio = 10;
  RETURN_IF_ERROR(InRange("min_crop_area", spec.min_crop_area, kLeastArea, 1));
  RETURN_IF_ERROR(InRange("max_crop_area", spec.max_crop_area, spec.min_crop_area, 1));
  RETURN_IF_ERROR(InRange("min_crop_ratio", spec.min_crop_ratio, 1 / kMostRatio, kMostRatio));
  return InRange("max_crop_ratio", spec.max_crop_ratio, spec.min_crop_ratio, kMostRatio);
}

AugmentSpec Light() {
  return {.min_crop_area = 0.7, .min_crop_ratio = 3.0 / 4, .max_crop_ratio = 4.0 / 3, .flip = 0.5, .rotation = 10};
}

AugmentSpec Medium() {
  AugmentSpec spec = Light();
  spec.min_crop_area = 0.5;
  spec.brightness = spec.contrast = spec.saturation = 0.2;
  return spec;
}

AugmentSpec Strong() {
  return {.min_crop_area = 0.35,
          .min_crop_ratio = 3.0 / 4,
          .max_crop_ratio = 4.0 / 3,
          .flip = 0.5,
          .trivial_augment = true,
          .erase = 0.25};
}

struct Named {
  const char* name;
  AugmentSpec spec;
};
const std::array<Named, 4>& NamedSpecs() {
  static const std::array<Named, 4> specs = {
      {{"none", {}}, {"light", Light()}, {"medium", Medium()}, {"strong", Strong()}}};
  return specs;
}

}  // namespace

bool AugmentSpec::crops() const {
  return min_crop_area != 1 || max_crop_area != 1 || min_crop_ratio != 1 || max_crop_ratio != 1;
}

absl::Status Validate(const AugmentSpec& spec) {
  RETURN_IF_ERROR(CheckCrop(spec));
  RETURN_IF_ERROR(InRange("flip", spec.flip, 0, 1));
  RETURN_IF_ERROR(InRange("rotation", spec.rotation, 0, 180));
  RETURN_IF_ERROR(InRange("zoom", spec.zoom, 0, 0.9));
  RETURN_IF_ERROR(InRange("brightness", spec.brightness, 0, 1));
  RETURN_IF_ERROR(InRange("contrast", spec.contrast, 0, 1));
  RETURN_IF_ERROR(InRange("saturation", spec.saturation, 0, 1));
  RETURN_IF_ERROR(InRange("hue", spec.hue, 0, 0.5));
  return InRange("erase", spec.erase, 0, 1);
}

std::string KeyOf(const AugmentSpec& spec) {
  if (spec.off()) return "none";
  return absl::StrCat("crop_area=", spec.min_crop_area, "-", spec.max_crop_area, ",crop_ratio=", spec.min_crop_ratio,
                      "-", spec.max_crop_ratio, ",flip=", spec.flip, ",rotation=", spec.rotation, ",zoom=", spec.zoom,
                      ",brightness=", spec.brightness, ",contrast=", spec.contrast, ",saturation=", spec.saturation,
                      ",hue=", spec.hue, ",trivial=", spec.trivial_augment ? 1 : 0, ",erase=", spec.erase,
                      ",revision=", kRevision);
}

absl::StatusOr<AugmentSpec> NamedAugment(absl::string_view name) {
  for (const Named& named : NamedSpecs()) {
    if (named.name == name) return named.spec;
  }
  return InvalidField("augment", absl::StrCat("there is no augmentation '", name,
                                              "'; use one of: ", absl::StrJoin(AugmentNames(), ", ")));
}

std::vector<std::string> AugmentNames() {
  std::vector<std::string> names;
  for (const Named& named : NamedSpecs()) names.push_back(named.name);
  return names;
}

uint64_t AugmentSeed(uint32_t run_seed, absl::string_view sha256, int epoch) {
  constexpr size_t kDigits = 16;
  uint64_t photo = 0;
  for (const char digit : sha256.substr(0, kDigits)) {
    photo = photo << 4 | static_cast<uint64_t>(absl::ascii_isdigit(digit) ? digit - '0' : digit - 'a' + 10);
  }
  return RandomKey({run_seed, photo, static_cast<uint64_t>(epoch)});
}

}  // namespace graft::image
