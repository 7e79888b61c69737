#include "core/network/preprocess.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/image/resize.h"

namespace graft::network {
namespace {

constexpr int kLargestInput = 4096;

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
  return absl::StrCat(spec.height, "x", spec.width, ",resize=", spec.resize, ",decode=", spec.decode);
}

absl::StatusOr<std::vector<uint8_t>> ToInput(absl::string_view encoded, const PreprocessSpec& spec,
                                             const image::DecodeLimits& limits) {
  RETURN_IF_ERROR(Validate(spec));
  image::MinimumSize minimum;
  if (spec.decode == kScaledDecode) minimum = {.height = spec.height, .width = spec.width};
  ASSIGN_OR_RETURN(const image::Image decoded, image::DecodeImage(encoded, limits, minimum));
  std::vector<uint8_t> input(static_cast<size_t>(spec.height) * static_cast<size_t>(spec.width) * 3);
  image::ResizeBilinear(decoded, spec.height, spec.width, absl::MakeSpan(input));
  return input;
}

}  // namespace graft::network
