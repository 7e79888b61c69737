// The tensors of the Open Inference Protocol: from a request's untrusted bytes to images, from results to bytes.
// Knows no gRPC and no protos, so that it can be fuzzed alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace graft::services {

// The one input and the one output of every model.
inline constexpr char kImageTensor[] = "image";
inline constexpr char kProbabilitiesTensor[] = "probabilities";

// One input tensor as it arrived; everything in it is the caller's and points into the request.
struct TensorView {
  absl::string_view datatype;
  absl::Span<const int64_t> shape;
  std::optional<absl::string_view> raw;        // its raw_input_contents
  absl::Span<const float> floats;              // contents.fp32_contents
  absl::Span<const uint32_t> integers;         // contents.uint_contents
  absl::Span<const std::string* const> bytes;  // contents.bytes_contents
  bool has_other_contents = false;             // in any other field of contents
};

struct ImageTensorLimits {
  int input_size = 224;  // height and width of the network's input
  int max_images = 0;
  int64_t max_bytes = 0;  // of all images, as sent
};

// What a tensor holds: one of the two, one entry per image.
struct TensorImages {
  std::vector<absl::string_view> encoded;    // points into the request
  std::vector<std::vector<uint8_t>> pixels;  // [input_size, input_size, 3] RGB
};

// FP32 or UINT8 [N, input_size, input_size, 3] or BYTES [N], 1 <= N <= max_images. FP32 values are 0 to 255 and rounded
// to the nearest integer, halves up. InvalidField under `field` ("inputs[0]") for anything else, naming what is wrong.
absl::StatusOr<TensorImages> ReadImages(absl::string_view field, const TensorView& tensor,
                                        const ImageTensorLimits& limits);

// FP32 contents, little-endian.
std::string RawFloats(absl::Span<const float> values);

// Appends one element of a BYTES tensor: its length in 4 little-endian bytes, then itself.
void AppendRawBytes(absl::string_view element, std::string* raw);

}  // namespace graft::services
