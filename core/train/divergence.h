// The error of a run whose loss is no number any more.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace graft::train {

// InvalidArgument that says where; epochs and steps count from 1. The checkpoint of the epoch before is good.
absl::Status NonFiniteLoss(int epoch, int64_t step);
absl::Status NonFiniteValidationLoss(int epoch);
absl::Status NonFiniteLossOfAll(int candidates);  // of a sweep

// Whether it is one of these.
bool IsDiverged(const absl::Status& status);

}  // namespace graft::train
