#include "client/terminal/table.h"

#include <gtest/gtest.h>

namespace graft::terminal {
namespace {

TEST(TableTest, AlignsColumnsAndLeavesNoTrailingSpaces) {
  Table table({{"NAME"}, {"COUNT", Align::kRight}, {"NOTE"}});
  table.AddRow({"cat", "300", "x"});
  table.AddRow({"elephant", "7", ""});
  EXPECT_EQ(table.Render(),
            "NAME      COUNT  NOTE\n"
            "cat         300  x\n"
            "elephant      7\n");
}

TEST(TableTest, CountsCodePointsNotBytes) {
  Table table({{"LABEL"}, {"N"}});
  table.AddRow({"Käfer", "1"});
  table.AddRow({"ameise", "2"});
  EXPECT_EQ(table.Render("> "),
            "> LABEL   N\n"
            "> Käfer   1\n"
            "> ameise  2\n");
}

TEST(TableTest, FillsShortRowsAndDropsExtraCells) {
  Table table({{"A"}, {"B"}});
  table.AddRow({"1"});
  table.AddRow({"1", "2", "3"});
  EXPECT_EQ(table.Render(), "A  B\n1\n1  2\n");
}

TEST(TableTest, EscapeSequencesInCellsDoNotReachTheTerminal) {
  Table table({{"A"}});
  table.AddRow({"\x1b[31mred\n"});
  EXPECT_EQ(table.Render(), "A\n?[31mred?\n");
}

}  // namespace
}  // namespace graft::terminal
