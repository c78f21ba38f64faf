#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(Printable, ControlsAreEscaped) {
  EXPECT_EQ(printable("a\nb\r\t\x1b[31mc\x7F"), "a\\nb\\r\\t\\x1b[31mc\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\x9b31m");  // CSI in one character
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "a\xE2\x81\xA6"),
            "\\u202ea\\u2066");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(printable("caf\xE9"), "caf\xEF\xBF\xBD");
  EXPECT_EQ(printable("\x9B"
                      "31m"),
            "\xEF\xBF\xBD"
            "31m");  // an 8-bit terminal's CSI
}

TEST(Printable, WhatIsPrintableStaysAsItIs) {
  for (const std::string text : {"", "say \"hi\" \\n", "µ – 日本 🙂", "~12.3 mJ"}) {
    EXPECT_EQ(printable(text), text);
  }
  const std::string once = printable("\x1b]0;title\a\n");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, LinesMayStay) {
  EXPECT_EQ(printable_lines("one\n  two\x1b[2J\n"), "one\n  two\\x1b[2J\n");
}

TEST(Printable, EveryCharacterThatReordersALineOrEndsItIsEscaped) {
  EXPECT_EQ(printable("\u061C\u200E\u200F\u202A\u202E\u2066\u2069"),
            "\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069");
  EXPECT_EQ(printable("\u2028\u2029"), "\\u2028\\u2029");
  EXPECT_EQ(printable("\u0080\u009F"), "\\x80\\x9f");
  EXPECT_EQ(printable("\u00A0\u200D\u2027\u2030"), "\u00A0\u200D\u2027\u2030");
}

TEST(Printable, OfAPageOurOwnSequencesStay) {
  EXPECT_EQ(printable_page("\x1b[1mRun\x1b[0m\ta\r\nb\n"), "\x1b[1mRun\x1b[0m\ta\r\nb\n");
  EXPECT_EQ(printable_page("\x1b[H\x1b[?25l\x1b[J\x1b[K"), "\x1b[H\x1b[?25l\x1b[J\x1b[K");
  EXPECT_EQ(printable_page("\x1b[2J\x1b]0;t\a\r\u009B"), "\\x1b[2J\\x1b]0;t\\x07\\r\\x9b");
  EXPECT_EQ(printable_page("\x1b["), "\\x1b[");
}

TEST(Printable, OfJsonTheMeaningStays) {
  EXPECT_EQ(printable_json(R"({"a":"µ 日本"})"), R"({"a":"µ 日本"})");
  EXPECT_EQ(printable_json("[\"a\x7F\u009Bb\u202E\u2028\"]"), R"(["a\u007f\u009bb\u202e\u2028"])");
  EXPECT_EQ(printable_json(""), "");
}

}  // namespace
}  // namespace enprof
