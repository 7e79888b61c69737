// Reader and writer of the safetensors format (https://github.com/huggingface/safetensors): the only weight files that
// server and worker read. Knows no LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::weights {

enum class DType { kF32, kF16, kBf16, kF64, kI64, kI32, kI16, kI8, kU8, kBool };
int64_t BytesOf(DType dtype);
absl::string_view NameOf(DType dtype);  // "F32", ...

struct TensorView {
  DType dtype;
  std::vector<int64_t> shape;  // rank at most 8; a scalar has none
  absl::string_view data;      // little-endian, row-major; lives as long as the file object
};

// An immutable, fully checked file in memory.
class Safetensors {
 public:
  // Moves keep the views; a copy's views would point into the original.
  Safetensors(Safetensors&&) = default;
  Safetensors& operator=(Safetensors&&) = default;
  Safetensors(const Safetensors&) = delete;
  Safetensors& operator=(const Safetensors&) = delete;

  // Header at most 8 MiB and an object; at most 4096 tensors; offsets inside the file, without overlap or holes;
  // dtype x shape = bytes, without overflow; duplicate names refused. DataLoss with the reason otherwise.
  static absl::StatusOr<Safetensors> Parse(std::string bytes);
  // Reads, checks the digest of the very buffer that is parsed (unless `sha256` is empty), then parses.
  // DataLoss naming the path and both digests.
  static absl::StatusOr<Safetensors> Load(const std::string& path, absl::string_view sha256);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  Safetensors() = default;

  std::string bytes_;  // always a heap buffer, so that views stay valid when the object moves
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Deterministic: tensors by name, metadata by key, the data section aligned to 8 bytes; equal content gives equal
// bytes. Names and metadata are UTF-8.
std::string Serialize(const std::map<std::string, TensorView>& tensors,
                      const std::map<std::string, std::string>& metadata);

}  // namespace graft::weights
