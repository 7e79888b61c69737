#include "core/network/preprocess.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::network {
namespace {

constexpr int kLargestInput = 4096;
// Counts the changes of what a scaled decode gives: features of the pixels before must not be taken for those of now.
constexpr char kScaledRevision[] = "2";

absl::Status Validate(const PreprocessSpec& spec) {
  if (spec.height < 1 || spec.width < 1 || spec.height > kLargestInput || spec.width > kLargestInput) {
    return InvalidField("preprocess.height",
                        absl::StrCat("input size ", spec.height, "x", spec.width, " is outside 1..", kLargestInput));
  }
  if (spec.resize != "bilinear") {
    return InvalidField("preprocess.resize", absl::StrCat("unknown resize \"", spec.resize, "\"; known: bilinear"));
  }
  if (spec.decode != kScaledDecode && spec.decode != kFullDecode) {
    return InvalidField("preprocess.decode", absl::StrCat("unknown decode \"", spec.decode,
                                                          "\"; known: ", kScaledDecode, ", ", kFullDecode));
  }
  return absl::OkStatus();
}

}  // namespace

std::string KeyOf(const PreprocessSpec& spec) {
  return absl::StrCat(spec.height, "x", spec.width, ",resize=", spec.resize, ",decode=", spec.decode,
                      spec.decode == kScaledDecode ? kScaledRevision : "");
}

absl::StatusOr<std::vector<uint8_t>> ToInput(absl::string_view encoded, const PreprocessSpec& spec,
                                             const image::DecodeLimits& limits) {
  RETURN_IF_ERROR(Validate(spec));
  ASSIGN_OR_RETURN(image::StretchedImage stretched, image::DecodeStretched(encoded, limits, TargetOf(spec)));
  return std::move(stretched.pixels);
}

absl::StatusOr<std::vector<uint8_t>> ToInput(absl::string_view encoded, const PreprocessSpec& spec,
                                             const image::DecodeLimits& limits, const image::AugmentSpec& augment,
                                             uint64_t seed) {
  RETURN_IF_ERROR(Validate(spec));
  std::vector<uint8_t> input(static_cast<size_t>(spec.height) * static_cast<size_t>(spec.width) * 3);
  RETURN_IF_ERROR(image::DecodeAugmented(encoded, limits, TargetOf(spec), augment, seed, absl::MakeSpan(input)));
  return input;
}

image::StretchTarget TargetOf(const PreprocessSpec& spec) {
  return {.height = spec.height, .width = spec.width, .reduce = spec.decode == kScaledDecode};
}

}  // namespace graft::network
