// Identifiers and resource names.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft {

// A new unique identifier: 26 lower-case letters and digits, time first so that they sort by creation (ULID).
std::string NewId();

// Names users give: ^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$ . `field` names the request field in the error.
absl::Status ValidateName(absl::string_view field, absl::string_view name);

// A data set or model version as users write it. Exactly one of number and alias is set, or neither (the latest).
struct VersionReference {
  std::string name;
  std::optional<int> number;         // >= 1
  std::optional<std::string> alias;  // models only
};

// Accepts "animals", "animals:3", "animals@production" and the resource names "models/animals",
// "models/animals/versions/3", "models/animals/aliases/production" (`collection` is "models" or "datasets").
// InvalidField(field) if malformed.
absl::StatusOr<VersionReference> ParseVersionReference(absl::string_view field, absl::string_view collection,
                                                       absl::string_view text);

// "models/animals/versions/3"
std::string VersionName(absl::string_view collection, absl::string_view name, int number);

}  // namespace graft
