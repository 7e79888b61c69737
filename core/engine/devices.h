// Which devices this machine has. Implementation of engine.h.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace graft::engine {

inline constexpr char kCpu[] = "cpu";

// InvalidArgument for a name that is neither "cpu" nor "cuda:N", FailedPrecondition for a device that is not here.
absl::Status CheckDevice(const std::string& name);

}  // namespace graft::engine
