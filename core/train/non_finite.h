// What a training run says when its loss is no number any more.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace graft::train {

// Both count from 1.
inline absl::Status NonFiniteLoss(int epoch, int64_t step) {
  return absl::InvalidArgumentError(
      absl::StrCat("the loss is not finite in epoch ", epoch, ", step ", step,
                   ": use a lower learning rate, and check the photos if that does not help"));
}

inline absl::Status NonFiniteValidationLoss(int epoch) {
  return absl::InvalidArgumentError(absl::StrCat("the validation loss is not finite after epoch ", epoch));
}

}  // namespace graft::train
