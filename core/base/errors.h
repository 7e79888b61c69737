// Errors that carry a machine-readable detail; proto/status_codec turns the detail into its google.rpc message.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft {

// InvalidArgument naming the request field (proto name, dotted) and what is wrong with it and what to do.
absl::Status InvalidField(absl::string_view field, absl::string_view reason);

// NotFound / AlreadyExists naming the resource: type "model", "job", "dataset", ...; name as the user wrote it.
absl::Status ResourceNotFound(absl::string_view type, absl::string_view name, absl::string_view hint = "");
absl::Status ResourceExists(absl::string_view type, absl::string_view name, absl::string_view reason);

// FailedPrecondition: `subject` is the resource that is not in a state for the call.
absl::Status PreconditionFailed(absl::string_view subject, absl::string_view reason);

// ResourceExhausted or Unavailable that goes away by itself: retry after `delay`.
absl::Status RetryLater(absl::StatusCode code, absl::string_view message, absl::Duration delay);

// Aborted: this worker's lease on the job is lost; stop without another write.
absl::Status LeaseLost(absl::string_view job);
bool IsLeaseLost(const absl::Status& status);

struct FieldDetail {
  std::string field, reason;
};
struct ResourceDetail {
  std::string type, name;
};
struct PreconditionDetail {
  std::string subject, reason;
};
struct RetryDetail {
  absl::Duration delay;
};
using ErrorDetail = std::variant<FieldDetail, ResourceDetail, PreconditionDetail, RetryDetail>;

// The detail that one of the makers above attached, if any.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

// The same error (code and detail) with "`context`: " before its message.
absl::Status WithContext(const absl::Status& status, absl::string_view context);

}  // namespace graft
