// The JSON header of a safetensors file, as written: checked for form, not yet against the data behind it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/weights/safetensors.h"

namespace graft::weights {

constexpr int64_t kMaxHeaderBytes = int64_t{8} << 20;
constexpr size_t kMaxTensors = 4096;
constexpr size_t kMaxRank = 8;

struct TensorHeader {
  DType dtype;
  std::vector<int64_t> shape;
  int64_t begin, end;  // bytes, from the start of the data; 0 <= begin <= end
};

struct SafetensorsHeader {
  std::map<std::string, TensorHeader> tensors;
  std::map<std::string, std::string> metadata;
};

// DataLoss naming the tensor and what is wrong: malformed JSON, a duplicate, missing or unknown key, an unknown dtype,
// a number that is not a non-negative integer, more than kMaxTensors tensors or kMaxRank dimensions.
absl::StatusOr<SafetensorsHeader> ParseHeader(absl::string_view json);

}  // namespace graft::weights
