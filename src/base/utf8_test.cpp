#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

TEST(Utf8, AcceptsEachLengthAtItsEdges) {
  const std::array valid{"",
                         "plain",
                         "\x7F",
                         "\xC2\x80",
                         "\xDF\xBF",
                         "\xE0\xA0\x80",
                         "\xED\x9F\xBF",
                         "\xEE\x80\x80",
                         "\xEF\xBF\xBF",
                         "\xF0\x90\x80\x80",
                         "\xF4\x8F\xBF\xBF",
                         "joule \xC2\xB5J \xE2\x82\xAC \xF0\x9F\x94\x8B"};
  for (const std::string_view text : valid) {
    EXPECT_EQ(first_invalid_utf8(text), std::nullopt) << text;
    EXPECT_EQ(to_valid_utf8(text), text);
  }
  EXPECT_EQ(first_invalid_utf8(std::string_view("\0x", 2)), std::nullopt);
}

TEST(Utf8, FindsTheFirstBadByte) {
  const std::array<std::pair<std::string_view, std::size_t>, 13> invalid{{
      {"\x80", 0},              // continuation without a lead
      {"ab\xC0\x80", 2},        // overlong
      {"\xC1\xBF", 0},          // overlong
      {"\xC2", 0},              // cut off
      {"a\xE0\x9F\xBF", 1},     // overlong
      {"\xE2\x82", 0},          // cut off
      {"\xED\xA0\x80", 0},      // surrogate
      {"\xF0\x8F\xBF\xBF", 0},  // overlong
      {"\xF0\x9F\x94x", 0},     // cut off
      {"\xF4\x90\x80\x80", 0},  // above U+10FFFF
      {"\xF5\x80\x80\x80", 0},
      {"\xFF", 0},
      {"\xE2\x82\xAC\xE2(", 3},
  }};
  for (const auto& [text, offset] : invalid) {
    EXPECT_EQ(first_invalid_utf8(text), offset) << text;
    EXPECT_EQ(first_invalid_utf8(to_valid_utf8(text)), std::nullopt);
  }
}

TEST(Utf8, ReplacesEachBadByteAndKeepsTheRest) {
  EXPECT_EQ(to_valid_utf8("a\xFF"
                          "b\xC3"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(to_valid_utf8("\x80\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8, KnowsWhereACharacterIsNotFinished) {
  constexpr std::array<std::pair<std::string_view, std::size_t>, 15> cases{{
      {"", 0},
      {"a", 0},
      {"\xC3", 1},
      {"a\xE2\x82", 2},
      {"a\xE2\x82\xAC", 0},
      {"\xF0\x9F\x94", 3},
      {"\xF0", 1},
      {"\xE0\xA0", 2},
      {"\xE0\x80", 0},  // cannot become valid
      {"\xED\xA0", 0},  // a surrogate
      {"\xF4\x8F", 2},
      {"\xF4\x90", 0},  // above U+10FFFF
      {"\xFF", 0},
      {"\xC0", 0},
      {"\x80\x80\x80\x80", 0},  // no lead byte
  }};
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(unfinished_utf8(text), bytes) << text;
  }
}

}  // namespace
}  // namespace enprof
