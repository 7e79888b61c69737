// Who calls, and what that lets them do.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::access {

// What a principal may do is a row per RPC (server/access/policy): looks, classifies, trains and promotes, all of it.
enum class Role { kViewer = 1, kPredictor = 2, kTrainer = 4, kAdmin = 8 };
// Roles or-ed together.
using Roles = int;
inline constexpr Roles kEveryRole = 15;

absl::string_view NameOf(Role role);  // "viewer"
absl::StatusOr<Role> ParseRole(absl::string_view field, absl::string_view text);
// "trainer or admin"
std::string NamesOf(Roles roles);

struct Principal {
  std::string name;
  Role role = Role::kViewer;
  std::vector<std::string> prefixes = {};  // of the names of data sets and models; empty: all names

  bool limited() const { return !prefixes.empty(); }
  // `resource` as callers write it: "animals", "animals:3", "models/animals/aliases/production".
  bool MayUse(absl::string_view resource) const;
};

// Everybody, where the server does not ask who calls: an admin called "anonymous".
const Principal& Anonymous();

// A caller who has shown nothing: may use no data set and no model.
const Principal& Nobody();

// The name of the data set or model within `resource` (see MayUse), which may be malformed: then a part of it.
absl::string_view PlainName(absl::string_view resource);

}  // namespace graft::access
