#include "server/config/layers.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "server/config/suggestion.h"

namespace graft::config {
namespace {

constexpr char kConfigVariable[] = "GRAFT_CONFIG";

constexpr char kPrefix[] = "GRAFT_";

std::string VariableOf(const std::string& setting) {
  return kPrefix + absl::AsciiStrToUpper(absl::StrReplaceAll(setting, {{"-", "_"}}));
}

// Others are of other programs, or Kubernetes' own, such as GRAFT_SERVICE_HOST. Without the prefix, which all share.
bool IsNearAnyOf(absl::string_view variable, const std::vector<std::string>& variables) {
  std::vector<std::string> names;
  for (const std::string& one : variables) names.emplace_back(absl::StripPrefix(one, kPrefix));
  return Nearest(absl::StripPrefix(variable, kPrefix), names).has_value();
}

}  // namespace

absl::Status UnknownSetting(const std::string& what, const std::string& typed,
                            const std::vector<std::string>& nearest_of) {
  const auto nearest = Nearest(typed, nearest_of);
  return absl::InvalidArgumentError(absl::StrCat(what, " is not a setting",
                                                 nearest ? absl::StrCat("; did you mean ", *nearest, "?") : "",
                                                 " (graft-server --help lists them)"));
}

absl::StatusOr<std::vector<Assignment>> ReadConfigFile(const std::string& path,
                                                       const std::vector<std::string>& settings) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat("--config ", path, ": ", error.what()));
  }
  std::vector<Assignment> assignments;
  for (const CLI::ConfigItem& item : items) {
    if (!item.parents.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--config ", path, ": [", absl::StrJoin(item.parents, "."), "]: settings stand in no section"));
    }
    if (!absl::c_linear_search(settings, item.name)) {
      return UnknownSetting(absl::StrCat("--config ", path, ": ", item.name), item.name, settings);
    }
    std::string value = absl::StrJoin(item.inputs, ",");
    if (!value.empty()) assignments.push_back({item.name, std::move(value), "file " + path});
  }
  return assignments;
}

absl::StatusOr<std::vector<Assignment>> ReadEnvironment(const Environment& environment,
                                                        const std::vector<std::string>& settings) {
  std::vector<std::string> variables;
  for (const std::string& setting : settings) variables.push_back(VariableOf(setting));
  std::vector<Assignment> assignments;
  for (const auto& [variable, value] : environment) {
    if (value.empty() || variable == kConfigVariable) continue;
    const auto found = absl::c_find(variables, variable);
    if (found != variables.end()) {
      const std::string& setting = settings[static_cast<size_t>(found - variables.begin())];
      assignments.push_back({setting, value, "environment " + variable});
    } else if (IsNearAnyOf(variable, variables)) {
      return UnknownSetting("environment variable " + variable, variable, variables);
    }
  }
  return assignments;
}

}  // namespace graft::config
