#include "core/base/errors.h"

#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace graft {
namespace {

constexpr char kFieldUrl[] = "graft/field";
constexpr char kResourceUrl[] = "graft/resource";
constexpr char kPreconditionUrl[] = "graft/precondition";
constexpr char kRetryUrl[] = "graft/retry_ms";
constexpr char kLeaseLostUrl[] = "graft/lease_lost";

absl::Status WithDetail(absl::Status status, absl::string_view url, absl::string_view payload) {
  status.SetPayload(url, absl::Cord(payload));
  return status;
}

// Payloads of two strings are "first\0second": neither a field, a resource name nor a reason contains NUL.
std::string Pair(absl::string_view first, absl::string_view second) {
  return absl::StrCat(first, absl::string_view("\0", 1), second);
}

std::pair<std::string, std::string> Unpair(const absl::Cord& payload) {
  return absl::StrSplit(std::string(payload), absl::MaxSplits('\0', 1));
}

}  // namespace

absl::Status InvalidField(absl::string_view field, absl::string_view reason) {
  return WithDetail(absl::InvalidArgumentError(absl::StrCat(field, ": ", reason)), kFieldUrl, Pair(field, reason));
}

absl::Status ResourceNotFound(absl::string_view type, absl::string_view name, absl::string_view hint) {
  return WithDetail(absl::NotFoundError(absl::StrCat("no ", type, " '", name, "'", hint.empty() ? "" : ": ", hint)),
                    kResourceUrl, Pair(type, name));
}

absl::Status ResourceExists(absl::string_view type, absl::string_view name, absl::string_view reason) {
  return WithDetail(absl::AlreadyExistsError(absl::StrCat(type, " '", name, "': ", reason)), kResourceUrl,
                    Pair(type, name));
}

absl::Status PreconditionFailed(absl::string_view subject, absl::string_view reason) {
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(subject, ": ", reason)), kPreconditionUrl,
                    Pair(subject, reason));
}

absl::Status RetryLater(absl::StatusCode code, absl::string_view message, absl::Duration delay) {
  return WithDetail(absl::Status(code, message), kRetryUrl, absl::StrCat(absl::ToInt64Milliseconds(delay)));
}

absl::Status LeaseLost(absl::string_view job) {
  return WithDetail(absl::AbortedError(absl::StrCat("lease on job ", job, " is lost")), kLeaseLostUrl, "1");
}

bool IsLeaseLost(const absl::Status& status) {
  return status.GetPayload(kLeaseLostUrl).has_value();
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  if (auto payload = status.GetPayload(kFieldUrl)) {
    auto [field, reason] = Unpair(*payload);
    return FieldDetail{field, reason};
  }
  if (auto payload = status.GetPayload(kResourceUrl)) {
    auto [type, name] = Unpair(*payload);
    return ResourceDetail{type, name};
  }
  if (auto payload = status.GetPayload(kPreconditionUrl)) {
    auto [subject, reason] = Unpair(*payload);
    return PreconditionDetail{subject, reason};
  }
  if (auto payload = status.GetPayload(kRetryUrl)) {
    int64_t milliseconds = 0;
    if (absl::SimpleAtoi(std::string(*payload), &milliseconds)) return RetryDetail{absl::Milliseconds(milliseconds)};
  }
  return std::nullopt;
}

absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status result(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

}  // namespace graft
