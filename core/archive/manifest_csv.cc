#include <csv.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/archive/manifest_rows.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

// Feeds libcsv line by line, so that the line of every row is known, also where fields hold line breaks.
class CsvReader {
 public:
  static constexpr int kBetweenRows = 0;  // libcsv's ROW_NOT_BEGUN

  CsvReader(const std::string& file, const RowCallback& callback) : file_(file), callback_(callback) {}

  absl::Status Read(absl::string_view bytes) {
    csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) return absl::InternalError("csv_init");
    const absl::Cleanup free = [&parser] { csv_free(&parser); };
    while (!bytes.empty() && status_.ok()) {
      ++line_;
      if (parser.pstate == kBetweenRows) first_line_of_row_ = line_;
      const absl::string_view line = bytes.substr(0, bytes.find('\n') + 1);  // npos + 1 is 0: what is left
      const absl::string_view fed = line.empty() ? bytes : line;
      bytes.remove_prefix(fed.size());
      if (csv_parse(&parser, fed.data(), fed.size(), OnField, OnRow, this) != fed.size()) return Broken(parser);
    }
    RETURN_IF_ERROR(status_);
    if (csv_fini(&parser, OnField, OnRow, this) != 0) return Broken(parser);
    RETURN_IF_ERROR(status_);
    if (!columns_.empty()) return absl::OkStatus();
    return BadLine(file_, 1, "is empty; the first line names the columns: path,label");
  }

 private:
  static void OnField(void* bytes, size_t size, void* self) {
    static_cast<CsvReader*>(self)->fields_.emplace_back(static_cast<const char*>(bytes), size);
  }
  static void OnRow(int, void* self) { static_cast<CsvReader*>(self)->EndRow(); }

  absl::Status Broken(csv_parser& parser) const {
    if (csv_error(&parser) == CSV_ENOMEM) return absl::ResourceExhaustedError("no memory to read the manifest");
    return BadLine(
        file_, first_line_of_row_,
        "has a quote that is not closed, or one inside a field; write \"...\" around the whole field and \"\" "
        "for a quote in it");
  }

  void EndRow() {
    if (status_.ok()) status_ = columns_.empty() ? TakeHeader() : TakeRow();
    fields_.clear();
  }

  absl::Status TakeHeader() {
    for (const std::string& name : fields_) {
      ASSIGN_OR_RETURN(const Column column, ColumnNamed(file_, first_line_of_row_, name));
      for (const Column other : columns_) {
        if (other == column) return BadLine(file_, first_line_of_row_, absl::StrCat("names column '", name, "' twice"));
      }
      columns_.push_back(column);
    }
    for (const Column needed : {Column::kPath, Column::kLabel}) {
      bool there = false;
      for (const Column column : columns_) there |= column == needed;
      if (there) continue;
      return BadLine(
          file_, first_line_of_row_,
          absl::StrCat("has no column '", kColumnNames[static_cast<size_t>(needed)],
                       "'; the first line names the columns: path, label and, if you like, split and group"));
    }
    return absl::OkStatus();
  }

  absl::Status TakeRow() {
    if (fields_.size() != columns_.size()) {
      return BadLine(file_, first_line_of_row_,
                     absl::StrCat("has ", fields_.size(), " fields, the first line names ", columns_.size(),
                                  " columns; put a field with a comma in quotes"));
    }
    RawRow row{.fields = {}, .line = first_line_of_row_};
    for (size_t i = 0; i < columns_.size(); ++i) row.fields[static_cast<size_t>(columns_[i])] = std::move(fields_[i]);
    return callback_(std::move(row));
  }

  const std::string& file_;
  const RowCallback& callback_;
  std::vector<Column> columns_;  // empty before the header
  std::vector<std::string> fields_;
  int line_ = 0;
  int first_line_of_row_ = 1;
  absl::Status status_;
};

}  // namespace

absl::Status ForEachCsvRow(const std::string& file, absl::string_view bytes, const RowCallback& callback) {
  return CsvReader(file, callback).Read(bytes);
}

}  // namespace graft::archive
