// Numbers out of untrusted bytes. A read past the end gives 0: callers check sizes where a 0 would matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace graft::image {

inline uint32_t ByteAt(absl::string_view bytes, size_t offset) {
  return offset < bytes.size() ? static_cast<unsigned char>(bytes[offset]) : 0;
}

inline uint32_t Little16(absl::string_view bytes, size_t offset) {
  return ByteAt(bytes, offset) | ByteAt(bytes, offset + 1) << 8;
}

inline uint32_t Little24(absl::string_view bytes, size_t offset) {
  return Little16(bytes, offset) | ByteAt(bytes, offset + 2) << 16;
}

inline uint32_t Little32(absl::string_view bytes, size_t offset) {
  return Little16(bytes, offset) | Little16(bytes, offset + 2) << 16;
}

inline uint32_t Big16(absl::string_view bytes, size_t offset) {
  return ByteAt(bytes, offset) << 8 | ByteAt(bytes, offset + 1);
}

inline uint32_t Big32(absl::string_view bytes, size_t offset) {
  return Big16(bytes, offset) << 16 | Big16(bytes, offset + 2);
}

// The part of `bytes` from `offset` on, at most `count` long; empty past the end.
inline absl::string_view Slice(absl::string_view bytes, size_t offset, size_t count = absl::string_view::npos) {
  return offset < bytes.size() ? bytes.substr(offset, count) : absl::string_view();
}

}  // namespace graft::image
