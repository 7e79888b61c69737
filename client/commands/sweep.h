// What `graft train --sweep` is given.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

// "weight_decay=0/1e-4/1e-3": these values. "lr=1e-4:1e-1:8": eight from low to high, each the same multiple of the one
// before. "lr" is short for "learning_rate"; which fields and values there may be is the server's to say.
// InvalidField("--sweep") for text that is neither form, for a low or high not above 0, for a count below 2 or above
// 256.
absl::StatusOr<v1::SweptField> ParseSweep(absl::string_view text);

}  // namespace graft::commands
