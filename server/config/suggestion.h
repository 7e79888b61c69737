// "Did you mean ...?"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace graft::config {

// The one of `known` that `typed` was most likely meant to be; nullopt where none is near.
std::optional<std::string> Nearest(absl::string_view typed, const std::vector<std::string>& known);

}  // namespace graft::config
