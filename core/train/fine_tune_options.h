// Checks what a fine-tuning run is asked for. Plain C++.
#pragma once

#include "absl/status/status.h"
#include "core/train/fine_tuner.h"

namespace graft::train {

// InvalidArgument naming the first field of inputs or options that is outside its range, with the range.
absl::Status CheckFineTuning(const FineTuneInputs& inputs, const FineTuneOptions& options);

}  // namespace graft::train
