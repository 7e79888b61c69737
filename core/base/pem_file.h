// Certificates and keys, as flags name them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft {

// The text of a file of at most 1 MiB, which is not looked into. InvalidField(flag) naming the file.
absl::StatusOr<std::string> ReadPemFile(absl::string_view flag, const std::string& path);

}  // namespace graft
