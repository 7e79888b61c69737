#include "core/base/pem_file.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/file.h"

namespace graft {

absl::StatusOr<std::string> ReadPemFile(absl::string_view flag, const std::string& path) {
  constexpr int64_t kMaxPemBytes = 1 << 20;
  absl::StatusOr<std::string> text = ReadFile(path, kMaxPemBytes);
  return text.ok() ? text : InvalidField(flag, absl::StrCat(path, " cannot be read: ", text.status().message()));
}

}  // namespace graft
