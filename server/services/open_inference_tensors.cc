#include "server/services/open_inference_tensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::services {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

constexpr size_t kLengthBytes = sizeof(uint32_t);
constexpr size_t kMaxShownDimensions = 8;

std::string ShapeText(absl::Span<const int64_t> shape) {
  const absl::Span<const int64_t> shown = shape.subspan(0, kMaxShownDimensions);
  return absl::StrCat("[", absl::StrJoin(shown, ", "), shown.size() < shape.size() ? ", ...]" : "]");
}

// Reads one tensor; the three datatypes share the checks of shape and size. Lives for one call.
class ImageReader {
 public:
  ImageReader(absl::string_view field, const TensorView& tensor, const ImageTensorLimits& limits)
      : field_(field), tensor_(tensor), limits_(limits) {}

  absl::StatusOr<TensorImages> Read() const {
    RETURN_IF_ERROR(CheckOneContents());
    if (tensor_.datatype == "BYTES") return ReadEncoded();
    if (tensor_.datatype == "FP32") return ReadFloats();
    if (tensor_.datatype == "UINT8") return ReadIntegers();
    return Invalid("datatype", absl::StrCat("'", absl::CHexEscape(tensor_.datatype.substr(0, 20)),
                                            "' is not FP32, UINT8 or BYTES"));
  }

 private:
  absl::Status Invalid(absl::string_view part, absl::string_view reason) const {
    return InvalidField(absl::StrCat(field_, ".", part), reason);
  }

  absl::Status CheckOneContents() const {
    const bool typed = !tensor_.floats.empty() || !tensor_.integers.empty() || !tensor_.bytes.empty();
    if (tensor_.raw.has_value() && (typed || tensor_.has_other_contents)) {
      return Invalid("contents", "must be empty when raw_input_contents are sent");
    }
    return absl::OkStatus();
  }

  // Typed contents in a field that is not the datatype's.
  absl::Status CheckNoOther(bool other, absl::string_view right) const {
    if (!other && !tensor_.has_other_contents) return absl::OkStatus();
    return Invalid("contents", absl::StrCat(tensor_.datatype, " goes into ", right, " or raw_input_contents alone"));
  }

  absl::StatusOr<size_t> Images(absl::Span<const int64_t> image, absl::string_view expected) const {
    const absl::Span<const int64_t> shape = tensor_.shape;
    if (shape.empty() || shape.subspan(1) != image) {
      return Invalid("shape", absl::StrCat(ShapeText(shape), " is not ", expected));
    }
    if (shape[0] < 1 || shape[0] > limits_.max_images) {
      return Invalid("shape", absl::StrCat(ShapeText(shape), ": N must be 1 to ", limits_.max_images));
    }
    return static_cast<size_t>(shape[0]);
  }

  absl::StatusOr<size_t> PixelImages() const {
    const int64_t image[] = {limits_.input_size, limits_.input_size, 3};
    return Images(image, absl::StrCat("[N, ", limits_.input_size, ", ", limits_.input_size, ", 3]"));
  }

  size_t ImageValues() const { return static_cast<size_t>(limits_.input_size) * limits_.input_size * 3; }

  absl::Status CheckBytes(size_t bytes) const {
    if (bytes <= static_cast<size_t>(limits_.max_bytes)) return absl::OkStatus();
    return Invalid("shape", absl::StrCat("images of ", bytes, " bytes in one request, the limit is ", limits_.max_bytes,
                                         ": send fewer at a time"));
  }

  // What the contents must hold: `expected` by the shape, `found` in them.
  absl::Status CheckSize(absl::string_view contents, size_t found, size_t expected, absl::string_view unit) const {
    if (found == expected) return absl::OkStatus();
    return Invalid("shape", absl::StrCat(ShapeText(tensor_.shape), " ", tensor_.datatype, " needs ", expected, " ",
                                         unit, ", ", contents, " have ", found));
  }

  // ---- FP32 ----
  absl::StatusOr<TensorImages> ReadFloats() const {
    RETURN_IF_ERROR(CheckNoOther(!tensor_.integers.empty() || !tensor_.bytes.empty(), "contents.fp32_contents"));
    ASSIGN_OR_RETURN(const size_t images, PixelImages());
    const size_t values = images * ImageValues();
    RETURN_IF_ERROR(CheckBytes(values * sizeof(float)));
    RETURN_IF_ERROR(tensor_.raw.has_value()
                        ? CheckSize("raw_input_contents", tensor_.raw->size(), values * sizeof(float), "bytes")
                        : CheckSize("contents.fp32_contents", tensor_.floats.size(), values, "values"));
    TensorImages result;
    std::vector<float> image(ImageValues());  // raw contents need not be aligned
    for (size_t i = 0; i < images; ++i) {
      absl::Span<const float> source = tensor_.floats;
      if (tensor_.raw.has_value()) {
        std::memcpy(image.data(), tensor_.raw->data() + i * image.size() * sizeof(float), image.size() * sizeof(float));
        source = image;
      } else {
        source = source.subspan(i * image.size(), image.size());
      }
      ASSIGN_OR_RETURN(std::vector<uint8_t> pixels, Rounded(source, i * image.size()));
      result.pixels.push_back(std::move(pixels));
    }
    return result;
  }

  absl::StatusOr<std::vector<uint8_t>> Rounded(absl::Span<const float> values, size_t offset) const {
    const auto in_range = [](float value) { return value >= 0.0F && value <= 255.0F; };  // false for NaN
    bool all = true;
    for (const float value : values) all &= in_range(value);  // without an early end it is vectorised
    if (!all) {
      const auto bad = std::find_if_not(values.begin(), values.end(), in_range);
      return Invalid("contents", absl::StrCat("value ", *bad, " at ", offset + (bad - values.begin()),
                                              " is not within 0 to 255: send RGB without any scaling"));
    }
    std::vector<uint8_t> pixels(values.size());
    // Half up, for values that are not negative; lround would not be vectorised.
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    const auto rounded = [](float value) { return static_cast<uint8_t>(value + 0.5F); };
    std::transform(values.begin(), values.end(), pixels.begin(), rounded);
    return pixels;
  }

  // ---- UINT8 ----
  absl::StatusOr<TensorImages> ReadIntegers() const {
    RETURN_IF_ERROR(CheckNoOther(!tensor_.floats.empty() || !tensor_.bytes.empty(), "contents.uint_contents"));
    ASSIGN_OR_RETURN(const size_t images, PixelImages());
    const size_t values = images * ImageValues();
    RETURN_IF_ERROR(CheckBytes(values));
    RETURN_IF_ERROR(tensor_.raw.has_value()
                        ? CheckSize("raw_input_contents", tensor_.raw->size(), values, "bytes")
                        : CheckSize("contents.uint_contents", tensor_.integers.size(), values, "values"));
    if (std::any_of(tensor_.integers.begin(), tensor_.integers.end(), [](uint32_t value) { return value > 255; })) {
      return Invalid("contents", "a UINT8 value is above 255");
    }
    TensorImages result;
    for (size_t begin = 0; begin < values; begin += ImageValues()) {
      std::vector<uint8_t>& pixels = result.pixels.emplace_back(ImageValues());
      if (tensor_.raw.has_value()) {
        std::memcpy(pixels.data(), tensor_.raw->data() + begin, pixels.size());
      } else {
        std::copy_n(tensor_.integers.begin() + begin, pixels.size(), pixels.begin());
      }
    }
    return result;
  }

  // ---- BYTES ----
  absl::StatusOr<TensorImages> ReadEncoded() const {
    RETURN_IF_ERROR(CheckNoOther(!tensor_.floats.empty() || !tensor_.integers.empty(), "contents.bytes_contents"));
    ASSIGN_OR_RETURN(const size_t images, Images({}, "[N]"));
    TensorImages result;
    if (tensor_.raw.has_value()) {
      RETURN_IF_ERROR(CheckBytes(tensor_.raw->size()));
      ASSIGN_OR_RETURN(result.encoded, SplitRaw(images));
      return result;
    }
    RETURN_IF_ERROR(CheckSize("contents.bytes_contents", tensor_.bytes.size(), images, "elements"));
    size_t bytes = 0;
    for (const std::string* element : tensor_.bytes) {
      result.encoded.emplace_back(*element);
      bytes += element->size();
    }
    RETURN_IF_ERROR(CheckBytes(bytes));
    return result;
  }

  absl::StatusOr<std::vector<absl::string_view>> SplitRaw(size_t images) const {
    std::vector<absl::string_view> elements;
    absl::string_view rest = *tensor_.raw;
    while (elements.size() < images) {
      const std::string element = absl::StrCat("element ", elements.size(), " of ", images);
      if (rest.size() < kLengthBytes) {
        return Invalid("contents", absl::StrCat("raw_input_contents end before the length of ", element));
      }
      uint32_t length = 0;
      std::memcpy(&length, rest.data(), kLengthBytes);
      rest.remove_prefix(kLengthBytes);
      if (rest.size() < length) {
        return Invalid("contents", absl::StrCat(element, " has the length prefix ", length, ", only ", rest.size(),
                                                " bytes of raw_input_contents follow"));
      }
      elements.push_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    if (rest.empty()) return elements;
    return Invalid("contents", absl::StrCat("raw_input_contents go on for ", rest.size(), " bytes after the last of ",
                                            images, " elements"));
  }

  const absl::string_view field_;
  const TensorView& tensor_;
  const ImageTensorLimits& limits_;
};

}  // namespace

absl::StatusOr<TensorImages> ReadImages(absl::string_view field, const TensorView& tensor,
                                        const ImageTensorLimits& limits) {
  return ImageReader(field, tensor, limits).Read();
}

std::string RawFloats(absl::Span<const float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

void AppendRawBytes(absl::string_view element, std::string* raw) {
  const auto length = static_cast<uint32_t>(element.size());
  raw->append(reinterpret_cast<const char*>(&length), kLengthBytes);
  raw->append(element.data(), element.size());
}

}  // namespace graft::services
