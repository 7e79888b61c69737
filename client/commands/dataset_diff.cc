#include "client/commands/dataset_diff.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/dataset_report.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"

namespace graft::commands {
namespace {

using Response = v1::DiffDatasetVersionsResponse;
using terminal::FormatCount;

std::string Arrow(const std::string& before, const std::string& after) {
  return before == after ? before : absl::StrCat(before.empty() ? "-" : before, " -> ", after.empty() ? "-" : after);
}

std::string What(const Response::Change& change) {
  if (!change.has_before()) return "added";
  if (!change.has_after()) return "removed";
  const auto& before = change.before();
  const auto& after = change.after();
  std::vector<std::string> what;
  if (before.label() != after.label()) what.push_back("relabelled");
  if (before.split() != after.split()) what.push_back("other split");
  if (before.group() != after.group()) what.push_back("other group");
  if (before.sha256() != after.sha256()) what.push_back("other photo");
  if (before.path() != after.path()) what.push_back("renamed");
  return absl::StrJoin(what, ", ");
}

}  // namespace

std::string RenderDiff(const Response& diff) {
  const std::pair<const char*, int> counts[] = {{"added", diff.added()},           {"removed", diff.removed()},
                                                {"relabelled", diff.relabelled()}, {"other split", diff.moved_split()},
                                                {"other group", diff.regrouped()}, {"other photo", diff.replaced()},
                                                {"renamed", diff.renamed()},       {"unchanged", diff.unchanged()}};
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    if (count > 0) parts.push_back(absl::StrCat(FormatCount(count), " ", name));
  }
  std::string text = absl::StrCat(ShortName(diff.from()), " -> ", ShortName(diff.to()), ": ",
                                  parts.empty() ? "no files" : absl::StrJoin(parts, ", "), "\n");
  if (diff.changes().empty()) return text;
  terminal::Table table({{"WHAT"}, {"FILE"}, {"CLASS"}, {"GIVEN SPLIT"}, {"GROUP"}});
  for (const Response::Change& change : diff.changes()) {
    // One that is not there counts as the other: an arrow is for what is in both.
    const auto& before = change.has_before() ? change.before() : change.after();
    const auto& after = change.has_after() ? change.after() : change.before();
    table.AddRow({What(change), Arrow(before.path(), after.path()), Arrow(before.label(), after.label()),
                  Arrow(GivenSplit(before.split()), GivenSplit(after.split())), Arrow(before.group(), after.group())});
  }
  absl::StrAppend(&text, table.Render("  "));
  if (diff.changes_size() < diff.change_count()) {
    absl::StrAppend(&text, "  and ", FormatCount(diff.change_count() - diff.changes_size()), " more; see --limit\n");
  }
  return text;
}

}  // namespace graft::commands
