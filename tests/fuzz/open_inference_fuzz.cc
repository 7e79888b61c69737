// Any tensor: ReadImages gives the images its shape says, within the limits and the request, or InvalidArgument.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/services/open_inference_tensors.h"

namespace {

constexpr graft::services::ImageTensorLimits kLimits = {.input_size = 4, .max_images = 8, .max_bytes = 1 << 12};

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckImages(const graft::services::TensorView& tensor, const graft::services::TensorImages& images) {
  const size_t count = images.encoded.size() + images.pixels.size();
  Check(!tensor.shape.empty() && static_cast<int64_t>(count) == tensor.shape[0]);
  Check(count >= 1 && count <= static_cast<size_t>(kLimits.max_images));
  Check(images.encoded.empty() || images.pixels.empty());
  for (const std::vector<uint8_t>& pixels : images.pixels) Check(pixels.size() == 4U * 4 * 3);
  size_t bytes = 0;
  for (const absl::string_view element : images.encoded) {
    bytes += element.size();
    // Every byte of it is in the request.
    Check(!tensor.raw.has_value() || element.empty() ||
          (element.data() >= tensor.raw->data() &&
           element.data() + element.size() <= tensor.raw->data() + tensor.raw->size()));
  }
  Check(bytes <= static_cast<size_t>(kLimits.max_bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider provider(data, size);
  const std::string datatype = provider.PickValueInArray<std::string>({"FP32", "UINT8", "BYTES", "INT64", ""});
  std::vector<int64_t> shape(provider.ConsumeIntegralInRange<size_t>(0, 5));
  for (int64_t& dimension : shape) {
    dimension = provider.ConsumeBool() ? provider.PickValueInArray<int64_t>({1, 2, 3, 4, 9, -1, INT64_MAX, INT64_MIN})
                                       : provider.ConsumeIntegral<int64_t>();
  }
  graft::services::TensorView tensor{.datatype = datatype, .shape = shape};
  std::vector<float> floats;
  std::vector<uint32_t> integers;
  std::vector<std::string> elements;
  std::vector<const std::string*> pointers;
  std::string raw;
  switch (provider.ConsumeIntegralInRange(0, 4)) {
    case 0:
      floats.assign(provider.ConsumeIntegralInRange<size_t>(0, 200), provider.ConsumeFloatingPoint<float>());
      break;
    case 1:
      integers.assign(provider.ConsumeIntegralInRange<size_t>(0, 200), provider.ConsumeIntegral<uint32_t>());
      break;
    case 2:
      while (provider.remaining_bytes() > 0) elements.push_back(provider.ConsumeRandomLengthString());
      break;
    case 3:
      tensor.has_other_contents = true;
      break;
    default:
      raw = provider.ConsumeRemainingBytesAsString();
      tensor.raw = raw;
  }
  for (const std::string& element : elements) pointers.push_back(&element);
  tensor.floats = floats;
  tensor.integers = integers;
  tensor.bytes = pointers;
  const auto images = graft::services::ReadImages("inputs[0]", tensor, kLimits);
  if (images.ok()) {
    CheckImages(tensor, *images);
  } else {
    Check(images.status().code() == absl::StatusCode::kInvalidArgument);
  }
  return 0;
}
