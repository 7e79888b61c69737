#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/archive/manifest_rows.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

using Json = nlohmann::json;

absl::StatusOr<RawRow> ParseRow(const std::string& file, int line, absl::string_view text) {
  const Json object = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return BadLine(file, line, "is no JSON object; write one a line: {\"path\": \"1.jpg\", \"label\": \"cat\"}");
  }
  RawRow row{.fields = {}, .line = line};
  for (const auto& [key, value] : object.items()) {
    ASSIGN_OR_RETURN(const Column column, ColumnNamed(file, line, key));
    if (value.is_null()) continue;
    if (!value.is_string()) return BadLine(file, line, absl::StrCat("'", key, "' is no string: put it in quotes"));
    row.fields[static_cast<size_t>(column)] = value.get<std::string>();
  }
  return row;
}

}  // namespace

absl::Status ForEachJsonRow(const std::string& file, absl::string_view bytes, const RowCallback& callback) {
  int line = 0;
  for (const absl::string_view text : absl::StrSplit(bytes, '\n')) {
    ++line;
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    ASSIGN_OR_RETURN(RawRow row, ParseRow(file, line, text));
    RETURN_IF_ERROR(callback(std::move(row)));
  }
  return absl::OkStatus();
}

}  // namespace graft::archive
