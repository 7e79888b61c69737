#include "core/weights/safetensors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/weights/safetensors_header.h"

namespace graft::weights {
namespace {

constexpr int64_t kLengthBytes = 8;
// Far above any backbone (ResNet50V2 has 94 MB), far below what a small machine can hold.
constexpr int64_t kMaxFileBytes = int64_t{4} << 30;

uint64_t ReadLittleEndian64(absl::string_view bytes) {
  uint64_t value = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  return value;
}

absl::StatusOr<absl::string_view> HeaderOf(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) return absl::DataLossError("file is shorter than its header's length field");
  const uint64_t length = ReadLittleEndian64(bytes);
  if (length > kMaxHeaderBytes) {
    return absl::DataLossError(absl::StrCat("header of ", length, " bytes, the limit is ", kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    return absl::DataLossError(
        absl::StrCat("header of ", length, " bytes in a file of ", bytes.size(), " bytes: truncated"));
  }
  const absl::string_view header = bytes.substr(kLengthBytes, length);
  if (header.empty() || header.front() != '{') return absl::DataLossError("header does not start with '{'");
  return header;
}

// dtype x shape, or nothing where it does not fit in 63 bits.
bool ByteSize(const TensorHeader& tensor, int64_t* result) {
  int64_t size = BytesOf(tensor.dtype);
  for (int64_t dimension : tensor.shape) {
    if (__builtin_mul_overflow(size, dimension, &size)) return false;
  }
  *result = size;
  return true;
}

absl::Status CheckSize(const std::string& name, const TensorHeader& tensor) {
  int64_t size = 0;
  if (!ByteSize(tensor, &size)) return absl::DataLossError(absl::StrCat(name, ": shape overflows"));
  if (size != tensor.end - tensor.begin) {
    return absl::DataLossError(
        absl::StrCat(name, ": dtype and shape need ", size, " bytes, data_offsets give ", tensor.end - tensor.begin));
  }
  return absl::OkStatus();
}

// The tensors, laid end to end, must be exactly the data: no overlap, no hole, nothing behind.
absl::Status CheckCoverage(const SafetensorsHeader& header, int64_t data_bytes) {
  std::vector<std::pair<const TensorHeader*, const std::string*>> by_offset;
  for (const auto& [name, tensor] : header.tensors) by_offset.emplace_back(&tensor, &name);
  std::sort(by_offset.begin(), by_offset.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
  });
  int64_t covered = 0;
  for (const auto& [tensor, name] : by_offset) {
    if (tensor->end > data_bytes) {
      return absl::DataLossError(
          absl::StrCat(*name, ": ends at byte ", tensor->end, " of ", data_bytes, " bytes of data: truncated"));
    }
    if (tensor->begin != covered) {
      return absl::DataLossError(absl::StrCat(*name, tensor->begin < covered ? ": overlaps" : ": leaves a hole behind",
                                              " the tensor before it"));
    }
    covered = tensor->end;
  }
  if (covered != data_bytes) {
    return absl::DataLossError(absl::StrCat(data_bytes - covered, " bytes behind the last tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t BytesOf(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBf16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return 1;
  }
  return 0;
}

absl::string_view NameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBf16:
      return "BF16";
    case DType::kF64:
      return "F64";
    case DType::kI64:
      return "I64";
    case DType::kI32:
      return "I32";
    case DType::kI16:
      return "I16";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kBool:
      return "BOOL";
  }
  return "";
}

absl::StatusOr<Safetensors> Safetensors::Parse(std::string bytes) {
  Safetensors file;
  file.bytes_ = std::move(bytes);
  // A short string would live inside the object and move with it; reserving keeps every buffer on the heap.
  file.bytes_.reserve(64);
  ASSIGN_OR_RETURN(const absl::string_view json, HeaderOf(file.bytes_));
  ASSIGN_OR_RETURN(SafetensorsHeader header, ParseHeader(json));
  const absl::string_view data = absl::string_view(file.bytes_).substr(kLengthBytes + json.size());
  for (const auto& [name, tensor] : header.tensors) RETURN_IF_ERROR(CheckSize(name, tensor));
  RETURN_IF_ERROR(CheckCoverage(header, static_cast<int64_t>(data.size())));
  for (auto& [name, tensor] : header.tensors) {
    const absl::string_view view =
        data.substr(static_cast<size_t>(tensor.begin), static_cast<size_t>(tensor.end - tensor.begin));
    file.tensors_.emplace(name, TensorView{tensor.dtype, std::move(tensor.shape), view});
  }
  file.metadata_ = std::move(header.metadata);
  return file;
}

absl::StatusOr<Safetensors> Safetensors::Load(const std::string& path, absl::string_view sha256) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxFileBytes));
  if (!sha256.empty()) {
    const std::string actual = Sha256Hex(bytes);
    if (actual != sha256) {
      return absl::DataLossError(absl::StrCat(path, ": expected SHA-256 ", sha256, ", got ", actual));
    }
  }
  absl::StatusOr<Safetensors> file = Parse(std::move(bytes));
  if (!file.ok()) return WithContext(file.status(), path);
  return file;
}

}  // namespace graft::weights
