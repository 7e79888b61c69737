#include "core/train/divergence.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace graft::train {
namespace {

constexpr char kDivergedUrl[] = "graft/diverged";

absl::Status Diverged(const std::string& what) {
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(what, ": use a lower learning rate, and check the photos if that does not help"));
  status.SetPayload(kDivergedUrl, absl::Cord(what));
  return status;
}

}  // namespace

absl::Status NonFiniteLoss(int epoch, int64_t step) {
  return Diverged(absl::StrCat("the loss is not finite in epoch ", epoch, ", step ", step));
}

absl::Status NonFiniteValidationLoss(int epoch) {
  return Diverged(absl::StrCat("the validation loss is not finite after epoch ", epoch));
}

absl::Status NonFiniteLossOfAll(int candidates) {
  return Diverged(absl::StrCat("none of ", candidates, " candidates has a finite loss"));
}

bool IsDiverged(const absl::Status& status) {
  return status.GetPayload(kDivergedUrl).has_value();
}

}  // namespace graft::train
