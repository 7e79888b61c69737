#include "client/terminal/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/terminal/format.h"

namespace graft::terminal {

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(static_cast<size_t>(widths[i] - DisplayWidth(cells[i])), ' ');
    if (i > 0) line += "  ";
    line += columns_[i].align == Align::kRight ? padding + cells[i] : cells[i] + padding;
  }
  return std::string(absl::StripTrailingAsciiWhitespace(line));
}

std::string Table::Render(const std::string& indent) const {
  std::vector<std::string> titles;
  std::vector<int> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(DisplayWidth(column.title));
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text = absl::StrCat(indent, RenderRow(titles, widths), "\n");
  for (const auto& row : rows_) absl::StrAppend(&text, indent, RenderRow(row, widths), "\n");
  return text;
}

}  // namespace graft::terminal
