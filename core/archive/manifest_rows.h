// The rows of a manifest as written, from either format.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::archive {

enum class Column { kPath, kLabel, kSplit, kGroup };
inline constexpr std::array<absl::string_view, 4> kColumnNames = {"path", "label", "split", "group"};

struct RawRow {
  std::array<std::string, kColumnNames.size()> fields;  // by Column; empty where it has none
  int line = 0;

  const std::string& operator[](Column column) const { return fields[static_cast<size_t>(column)]; }
};

// InvalidArgument: "`file`:`line`: `reason`".
absl::Status BadLine(absl::string_view file, int line, absl::string_view reason);

// Column of this name, or the error that lists them and names the one that was probably meant.
absl::StatusOr<Column> ColumnNamed(absl::string_view file, int line, absl::string_view name);

// `bytes` are the content of `file`, which is for errors. The callback's error ends it.
using RowCallback = std::function<absl::Status(RawRow)>;
absl::Status ForEachCsvRow(const std::string& file, absl::string_view bytes, const RowCallback& callback);
absl::Status ForEachJsonRow(const std::string& file, absl::string_view bytes, const RowCallback& callback);

}  // namespace graft::archive
