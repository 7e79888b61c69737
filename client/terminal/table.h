// Columns that line up.
#pragma once

#include <string>
#include <vector>

namespace graft::terminal {

enum class Align { kLeft, kRight };

// A table of text: a header, then rows; columns two spaces apart, no trailing spaces. Cells are shown printable
// (format.h). One thread at a time.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // A row shorter than the columns is filled with empty cells; cells beyond them are ignored.
  void AddRow(std::vector<std::string> cells);

  // One line per row, each ending in a newline, every line starting with `indent`.
  std::string Render(const std::string& indent = "") const;

 private:
  std::string RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace graft::terminal
