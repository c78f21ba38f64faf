#include "report/format.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(Format, EnergyHasFourDigitsAndAPrefix) {
  EXPECT_EQ(format_energy(Joules{0.0}), "0 J");
  EXPECT_EQ(format_energy(Joules{12.3456}), "12.35 J");
  EXPECT_EQ(format_energy(Joules{0.0123456}), "12.35 mJ");
  EXPECT_EQ(format_energy(Joules{1234.5}), "1.234 kJ");
  EXPECT_EQ(format_energy(Joules{-0.5}), "-500.0 mJ");
  EXPECT_EQ(format_energy(Joules{999.96}), "1.000 kJ");  // never "1000.0 J"
  EXPECT_EQ(format_energy(Joules{3.6e6}), "3.600 MJ");
  EXPECT_EQ(format_power(Watts{50.0}), "50.00 W");
}

TEST(Format, WhatIsAbsentIsADash) {
  EXPECT_EQ(format_energy(std::nullopt), "–");
  EXPECT_EQ(format_power(std::nullopt), "–");
  EXPECT_EQ(format_si(std::numeric_limits<double>::quiet_NaN(), "J"), "–");
}

TEST(Format, Durations) {
  EXPECT_EQ(format_duration(850ns), "850.0 ns");
  EXPECT_EQ(format_duration(12'345us), "12.35 ms");
  EXPECT_EQ(format_duration(1'234ms), "1.234 s");
  EXPECT_EQ(format_duration(125s), "2 min 05 s");
  EXPECT_EQ(format_duration(3725s), "1 h 02 min");
}

TEST(Format, Counts) {
  EXPECT_EQ(format_count(7), "7");
  EXPECT_EQ(format_count(41'200'000), "41.2 M");
  EXPECT_EQ(format_count(7'240'000'000), "7.24 B");
}

TEST(Format, MoneyShowsTwoSignificantDigits) {
  EXPECT_EQ(format_usd(0.0), "0.00 USD");
  EXPECT_EQ(format_usd(12.0), "12.00 USD");
  EXPECT_EQ(format_usd(0.00000041), "0.00000041 USD");
}

TEST(Format, WallTime) {
  EXPECT_EQ(format_wall_time(WallTime{1'700'000'000'123ms}), "2023-11-14 22:13:20 UTC");
}

TEST(Format, QuotedTextCannotDriveTheTerminal) {
  EXPECT_EQ(quote("a\nb\t\x1b[31mc", 80), "\"a\\nb\\t\\x1b[31mc\"");
  EXPECT_EQ(quote("say \"hi\" \\", 80), "\"say \\\"hi\\\" \\\\\"");
  EXPECT_EQ(quote("\xC2\x9B", 80), "\"\\x9b\"");        // CSI in one character
  EXPECT_EQ(quote("\xE2\x80\xAE", 80), "\"\\u202e\"");  // right-to-left override
  EXPECT_EQ(quote(std::string_view("\0", 1), 80), "\"\\x00\"");
}

TEST(Format, QuotedTextIsAlwaysUtf8) {
  EXPECT_EQ(quote("caf\xE9", 80), "\"caf\xEF\xBF\xBD\"");
  EXPECT_EQ(quote("\xF0\x9F\x98", 80), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(quote("\xED\xA0\x80", 80), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate
  EXPECT_EQ(quote("\xC0\xAF", 80), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong
}

TEST(Format, QuotedTextIsCutToItsColumns) {
  EXPECT_EQ(quote("abcdef", 8), "\"abcdef\"");
  EXPECT_EQ(quote("abcdefg", 8), "\"abcde…\"");
  EXPECT_EQ(display_width(quote("日本語日本語日本語", 10)), 9U);
  EXPECT_LE(display_width(quote(std::string(1000, 'x'), 20)), 20U);
}

TEST(Format, WrapsBetweenWords) {
  EXPECT_EQ(wrap("one two three", 80, 4), "one two three");
  EXPECT_EQ(wrap("one two three", 11, 4), "one two\n    three");
  EXPECT_EQ(wrap("one extraordinarily two", 10, 2), "one\n  extraordinarily\n  two");
  EXPECT_EQ(wrap("", 10, 2), "");
  EXPECT_EQ(wrap("MLP 49 % · rest 6 %", 13, 2), "MLP 49 % ·\n  rest 6 %");
  EXPECT_EQ(wrap("MLP 49 % · rest 6 %", 18, 2), "MLP 49 % · rest\n  6 %");
}

TEST(Format, DisplayWidth) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("µ–"), 2U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);
  EXPECT_EQ(display_width("🙂"), 2U);
}

TEST(Wrap, LeavesNoBlanksAtALinesEnd) { EXPECT_EQ(wrap("aa  bb", 3, 0), "aa\nbb"); }

TEST(Cut, KeepsWhatFitsAndMarksWhatIsCut) {
  EXPECT_EQ(cut("gemma.gguf", 10), "gemma.gguf");
  EXPECT_EQ(cut("gemma.gguf", 9), "gemma.gg…");
  EXPECT_EQ(cut("漢字漢字", 6), "漢字…");
  EXPECT_EQ(cut("漢字漢字", 8), "漢字漢字");
  EXPECT_EQ(cut("abc", 1), "…");
  EXPECT_EQ(cut("abc", 0), "");
}

}  // namespace
}  // namespace enprof
