#include "core/archive/manifest.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/archive/layout.h"
#include "core/archive/manifest_rows.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

constexpr int64_t kMaxManifestBytes = 256 << 20;

// What others call our columns.
constexpr std::pair<absl::string_view, Column> kOtherNames[] = {
    {"file", Column::kPath},       {"filename", Column::kPath},   {"file_name", Column::kPath},
    {"filepath", Column::kPath},   {"file_path", Column::kPath},  {"image", Column::kPath},
    {"image_path", Column::kPath}, {"photo", Column::kPath},      {"class", Column::kLabel},
    {"category", Column::kLabel},  {"target", Column::kLabel},    {"class_name", Column::kLabel},
    {"subset", Column::kSplit},    {"partition", Column::kSplit}, {"set", Column::kSplit},
    {"group_id", Column::kGroup},  {"subject", Column::kGroup},   {"patient_id", Column::kGroup}};

// Letters that are to be inserted, deleted or replaced (Levenshtein).
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string MeantColumn(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(name));
  for (const auto& [other, column] : kOtherNames) {
    if (lower == other) return std::string(kColumnNames[static_cast<size_t>(column)]);
  }
  constexpr size_t kTypos = 2;
  for (const absl::string_view column : kColumnNames) {
    if (lower.size() < 64 && EditDistance(lower, column) <= kTypos) return std::string(column);
  }
  return "";
}

absl::StatusOr<ManifestRow> CheckRow(const std::string& file, RawRow raw) {
  const auto bad = [&](absl::string_view reason) { return BadLine(file, raw.line, reason); };
  ManifestRow row{.path = std::string(absl::StripPrefix(raw[Column::kPath], "./")),
                  .label = raw[Column::kLabel],
                  .group = raw[Column::kGroup],
                  .line = raw.line};
  if (row.path.empty()) return bad("has no path");
  if (row.path.front() == '/') {
    return bad(absl::StrCat(row.path, " is absolute; write it relative to the folder or archive"));
  }
  for (const absl::string_view part : absl::StrSplit(row.path, '/')) {
    if (part == "..") return bad(absl::StrCat(row.path, " leads out of the folder; list only what is in it"));
  }
  if (row.label.empty()) return bad(absl::StrCat(row.path, " has no label"));
  if (raw[Column::kSplit].empty()) return row;
  const std::optional<Split> split = SplitNamed(raw[Column::kSplit]);
  if (!split) return bad(absl::StrCat("split '", raw[Column::kSplit], "' is none of train, validation, test or empty"));
  row.split = *split;
  return row;
}

bool IsJsonFile(absl::string_view file) {
  return absl::EndsWithIgnoreCase(file, ".jsonl") || absl::EndsWithIgnoreCase(file, ".ndjson");
}

}  // namespace

absl::Status BadLine(absl::string_view file, int line, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", reason));
}

absl::StatusOr<Column> ColumnNamed(absl::string_view file, int line, absl::string_view name) {
  const auto found = std::find(kColumnNames.begin(), kColumnNames.end(), name);
  if (found != kColumnNames.end()) return static_cast<Column>(found - kColumnNames.begin());
  const std::string meant = MeantColumn(name);
  return BadLine(
      file, line,
      absl::StrCat("unknown column '", name, "'", meant.empty() ? "" : absl::StrCat(", '", meant, "' is meant?"),
                   "; the columns are ", absl::StrJoin(kColumnNames, ", ")));
}

Manifest::Manifest(std::string file, std::vector<ManifestRow> rows) : file_(std::move(file)), rows_(std::move(rows)) {
  for (size_t i = 0; i < rows_.size(); ++i) row_of_path_.emplace(rows_[i].path, i);
}

absl::StatusOr<Manifest> Manifest::Read(const std::string& file, const SourceLimits& limits) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kMaxManifestBytes));
  const absl::string_view text = absl::StripPrefix(bytes, "\xEF\xBB\xBF");  // Excel's byte order mark
  std::vector<ManifestRow> rows;
  absl::flat_hash_map<std::string, int> line_of_path;
  const auto take = [&](RawRow raw) -> absl::Status {
    ASSIGN_OR_RETURN(ManifestRow row, CheckRow(file, std::move(raw)));
    const auto [found, is_new] = line_of_path.emplace(row.path, row.line);
    if (!is_new) return BadLine(file, row.line, absl::StrCat(row.path, " is in line ", found->second, " too"));
    rows.push_back(std::move(row));
    if (static_cast<int>(rows.size()) <= limits.max_files) return absl::OkStatus();
    return BadLine(file, rows.back().line,
                   absl::StrCat("more than ", limits.max_files, " photos; split it into several data sets"));
  };
  RETURN_IF_ERROR(IsJsonFile(file) ? ForEachJsonRow(file, text, take) : ForEachCsvRow(file, text, take));
  if (rows.empty()) return absl::InvalidArgumentError(absl::StrCat(file, ": lists no photos"));
  return Manifest(file, std::move(rows));
}

const ManifestRow* Manifest::Find(absl::string_view path) const {
  const auto found = row_of_path_.find(path);
  return found == row_of_path_.end() ? nullptr : &rows_[found->second];
}

}  // namespace graft::archive
