#include "core/workflow/failure.h"

#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace graft::workflow {
namespace {

constexpr char kOwnerUrl[] = "graft/failure_owner";

std::optional<jobs::FailureType> OwnerOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kOwnerUrl);
  int number = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &number)) return std::nullopt;
  return static_cast<jobs::FailureType>(number);
}

bool UserCanCause(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

jobs::FailureType TypeOf(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return jobs::FailureType::kOutOfMemory;
  const std::optional<jobs::FailureType> owner = OwnerOf(status);
  if (owner && (*owner == jobs::FailureType::kDevice || UserCanCause(status.code()))) return *owner;
  return jobs::FailureType::kInternal;
}

}  // namespace

absl::Status BlameOn(jobs::FailureType owner, absl::Status status) {
  if (!status.ok() && !OwnerOf(status)) {
    status.SetPayload(kOwnerUrl, absl::Cord(absl::StrCat(static_cast<int>(owner))));
  }
  return status;
}

absl::Status BlameComputing(const std::string& device, const absl::Status& status) {
  const bool on_accelerator = device != kCpuDevice;
  return BlameOn(on_accelerator && absl::IsInternal(status) ? jobs::FailureType::kDevice : jobs::FailureType::kData,
                 status);
}

jobs::Failure FailureOf(const absl::Status& status) {
  return {.type = TypeOf(status), .message = std::string(status.message())};
}

}  // namespace graft::workflow
