#include "core/access/principal.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"

namespace graft::access {
namespace {

constexpr std::array<std::pair<Role, absl::string_view>, 4> kRoles = {
    {{Role::kViewer, "viewer"}, {Role::kPredictor, "predictor"}, {Role::kTrainer, "trainer"}, {Role::kAdmin, "admin"}}};

}  // namespace

absl::string_view NameOf(Role role) {
  for (const auto& [known, name] : kRoles) {
    if (known == role) return name;
  }
  return "unknown";
}

absl::StatusOr<Role> ParseRole(absl::string_view field, absl::string_view text) {
  for (const auto& [role, name] : kRoles) {
    if (name == text) return role;
  }
  return InvalidField(field, absl::StrCat("'", text, "' is none of viewer, predictor, trainer, admin"));
}

std::string NamesOf(Roles roles) {
  std::vector<absl::string_view> names;
  for (const auto& [role, name] : kRoles) {
    if ((roles & static_cast<int>(role)) != 0) names.push_back(name);
  }
  return absl::StrJoin(names, " or ");
}

absl::string_view PlainName(absl::string_view resource) {
  if (!absl::ConsumePrefix(&resource, "models/")) absl::ConsumePrefix(&resource, "datasets/");
  return resource.substr(0, resource.find_first_of(":@/"));
}

bool Principal::MayUse(absl::string_view resource) const {
  if (!limited()) return true;
  const absl::string_view plain = PlainName(resource);
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [plain](const std::string& prefix) { return absl::StartsWith(plain, prefix); });
}

const Principal& Anonymous() {
  static const Principal anonymous = {.name = "anonymous", .role = Role::kAdmin};
  return anonymous;
}

const Principal& Nobody() {
  static const Principal nobody = {.name = "nobody", .role = Role::kViewer, .prefixes = {"/"}};
  return nobody;
}

}  // namespace graft::access
