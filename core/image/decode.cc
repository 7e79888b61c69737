#include "core/image/decode.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/image/codec.h"
#include "core/image/orientation.h"

namespace graft::image {
namespace {

constexpr absl::string_view kAccepted = "accepted are JPEG, PNG, WebP and BMP";

std::optional<Format> FormatOf(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return Format::kJpeg;
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return Format::kPng;
  if (absl::StartsWith(bytes, "RIFF") && bytes.substr(0, 12).substr(8) == "WEBP") return Format::kWebp;
  if (absl::StartsWith(bytes, "BM")) return Format::kBmp;
  return std::nullopt;
}

struct Lookalike {
  size_t offset;
  absl::string_view magic;
  absl::string_view name;
};

// What people do send; enough to tell them what to convert.
constexpr Lookalike kLookalikes[] = {
    {0, "GIF8", "a GIF"},
    {0, absl::string_view("II*\0", 4), "a TIFF"},
    {0, absl::string_view("MM\0*", 4), "a TIFF"},
    {0, absl::string_view("\0\0\1\0", 4), "an ICO icon"},
    {4, "ftypavif", "an AVIF picture"},
    {4, "ftyphei", "a HEIC picture"},
    {4, "ftypmif1", "a HEIF picture"},
    {4, "ftyp", "an MP4 or MOV video"},
    {4, "jP  ", "a JPEG 2000 picture"},
    {0, absl::string_view("\xff\x0a", 2), "a JPEG XL picture"},
    {0, "%PDF", "a PDF document"},
    {0, "PK\3\4", "a zip archive"},
    {0, "8BPS", "a Photoshop file"},
    {0, "<svg", "an SVG drawing"},
    {0, "<", "HTML or XML text"},
};

absl::Status UnknownFormat(absl::string_view bytes) {
  for (const Lookalike& lookalike : kLookalikes) {
    if (bytes.size() > lookalike.offset && absl::StartsWith(bytes.substr(lookalike.offset), lookalike.magic)) {
      return BadImage(absl::StrCat("this looks like ", lookalike.name, "; ", kAccepted, ", so convert it first"));
    }
  }
  return BadImage(absl::StrCat("not a picture of a known format; ", kAccepted));
}

absl::StatusOr<Size> SizeOf(Format format, absl::string_view bytes) {
  switch (format) {
    case Format::kJpeg:
      return JpegSize(bytes);
    case Format::kPng:
      return PngSize(bytes);
    case Format::kWebp:
      return WebpSize(bytes);
    case Format::kBmp:
      return BmpSize(bytes);
  }
  return absl::InternalError("unknown image format");
}

absl::StatusOr<Format> CheckFormat(absl::string_view bytes, const DecodeLimits& limits) {
  if (bytes.empty()) return BadImage("empty: no bytes were sent");
  if (static_cast<int64_t>(bytes.size()) > limits.max_bytes) {
    return BadImage(
        absl::StrCat(bytes.size(), " bytes; at most ", limits.max_bytes, " are accepted: make the picture smaller"));
  }
  const std::optional<Format> format = FormatOf(bytes);
  if (!format.has_value()) return UnknownFormat(bytes);
  return *format;
}

}  // namespace

absl::Status BadImage(absl::string_view reason) {
  return InvalidField("image", reason);
}

absl::Status CheckSize(const Size& size, const DecodeLimits& limits) {
  const auto& [height, width] = size;
  if (height < 1 || width < 1) return BadImage(absl::StrCat("damaged: ", width, "x", height, " pixels"));
  if (height > limits.max_side || width > limits.max_side) {
    return BadImage(absl::StrCat(width, "x", height, " pixels; a side may have at most ", limits.max_side,
                                 ": make the picture smaller"));
  }
  if (height * width > limits.max_pixels) {
    return BadImage(absl::StrCat(width, "x", height, " is ", height * width, " pixels; at most ", limits.max_pixels,
                                 " are accepted: make the picture smaller"));
  }
  return absl::OkStatus();
}

absl::string_view FormatName(Format format) {
  switch (format) {
    case Format::kJpeg:
      return "jpeg";
    case Format::kPng:
      return "png";
    case Format::kWebp:
      return "webp";
    case Format::kBmp:
      return "bmp";
  }
  return "unknown";
}

absl::StatusOr<Header> ReadHeader(absl::string_view bytes, const DecodeLimits& limits) {
  ASSIGN_OR_RETURN(const Format format, CheckFormat(bytes, limits));
  ASSIGN_OR_RETURN(const Size size, SizeOf(format, bytes));
  RETURN_IF_ERROR(CheckSize(size, limits));
  return Header{.format = format, .height = static_cast<int>(size.height), .width = static_cast<int>(size.width)};
}

absl::StatusOr<Decoded> DecodeStored(absl::string_view bytes, const DecodeLimits& limits, const MinimumSize& minimum) {
  ASSIGN_OR_RETURN(const Format format, CheckFormat(bytes, limits));
  switch (format) {
    case Format::kJpeg:
      return DecodeJpeg(bytes, limits, minimum);
    case Format::kPng:
      return DecodePng(bytes, limits);
    case Format::kWebp:
      return DecodeWebp(bytes, limits);
    case Format::kBmp:
      return DecodeBmp(bytes, limits);
  }
  return absl::InternalError("unknown image format");
}

absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits) {
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&]() -> absl::StatusOr<Image> {
    ASSIGN_OR_RETURN(Decoded decoded, DecodeStored(bytes, limits, {}));
    return Upright(std::move(decoded.image), decoded.orientation);
  });
}

}  // namespace graft::image
