#include "report/text_table.hpp"

#include "report/format.hpp"

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
  EXPECT_EQ(table.text({.width = 12}), "  name  nev…\n");
}

TEST(TextTable, TextsAreCutBeforeColumnsAreLeftOut) {
  TextTable table({Align::left, Align::right, Align::left});
  table.row({"a long name", "12345", "漢字漢字漢字"});
  table.may_cut(0, 4);
  table.may_cut(2, 6);
  table.may_drop({2});
  EXPECT_EQ(table.text({.width = 80}, 0), "a long name  12345  漢字漢字漢字\n");
  EXPECT_EQ(table.text({.width = 28}, 0), "a long n…  12345  漢字漢字…\n");
  EXPECT_EQ(table.text({.width = 19}, 0), "a l…  12345  漢字…\n");
  EXPECT_EQ(table.text({.width = 18}, 0), "a long name  12345\n");
  EXPECT_EQ(table.text({.width = 12}, 0), "a lo…  12345\n");
}

TEST(TextTable, NoLineIsWiderThanTheTerminal) {
  TextTable table({Align::left, Align::right, Align::right, Align::left});
  table.row({"name", "123456789", "12345", "quite a long text"});
  table.row({"漢字", "1", "2", "漢字漢字漢字"});
  table.may_drop({2});
  table.may_cut(3, 5);
  for (std::size_t width = 20; width < 60; ++width) {
    const std::string text = table.text({.width = width});
    for (std::size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
      EXPECT_LE(display_width(text.substr(begin, text.find('\n', begin) - begin)), width) << text;
    }
  }
}

}  // namespace
}  // namespace enprof
