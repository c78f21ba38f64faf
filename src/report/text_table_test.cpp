#include "report/text_table.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using Align = TextTable::Align;

TEST(TextTable, ColumnsLineUpByDisplayWidth) {
  TextTable table({Align::left, Align::right});
  table.row({"µ", "1"});
  table.row({"long name", "12345"});
  EXPECT_EQ(table.text({}, 2),
            "  µ              1\n"
            "  long name  12345\n");
}

TEST(TextTable, MissingCellsAreEmptyAndBlanksAtTheEndAreCut) {
  TextTable table({Align::left, Align::left});
  table.row({"a"});
  table.row({"b", "c", "dropped"});
  EXPECT_EQ(table.text({}, 0), "a\nb  c\n");
}

TEST(TextTable, CellsCannotDriveTheTerminal) {
  TextTable table({Align::left, Align::left});
  table.row({"\x1b[2Ja\n", "x"}, Style::bold);
  EXPECT_EQ(table.text({.colour = true}, 0), "\x1b[1m\\x1b[2Ja\\n  x\x1b[0m\n");
}

TEST(TextTable, StylesOnlyWithColours) {
  TextTable table({Align::left});
  table.row({"x"}, Style::bold);
  EXPECT_EQ(table.text({.colour = false}, 0), "x\n");
  EXPECT_EQ(table.text({.colour = true}, 0), "\x1b[1mx\x1b[0m\n");
}

TEST(TextTable, ColumnsAreLeftOutWhereThereIsNoRoom) {
  TextTable table({Align::left, Align::left, Align::left, Align::left});
  table.row({"name", "first", "never", "second"});
  table.may_drop({1, 3});
  EXPECT_EQ(table.width(2), 2U + 4 + 2 + 5 + 2 + 5 + 2 + 6);
  EXPECT_EQ(table.text({.width = 28}), "  name  first  never  second\n");
  EXPECT_EQ(table.text({.width = 27}), "  name  never  second\n");
  EXPECT_EQ(table.text({.width = 20}), "  name  never\n");
  EXPECT_EQ(table.text({.width = 1}), "  name  never\n");
}

}  // namespace
}  // namespace enprof
