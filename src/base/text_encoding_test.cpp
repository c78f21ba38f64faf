#include "base/text_encoding.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace enprof {
namespace {

using namespace std::string_view_literals;

/// A text in units of `size` bytes, one for each UTF-16 unit.
std::string in_units(std::u16string_view text, std::size_t size, bool big) {
  std::string bytes;
  for (const char16_t unit : text) {
    std::string one(size, '\0');
    one[big ? size - 1 : 0] = static_cast<char>(unit & 0xFFU);
    one[big ? size - 2 : 1] = static_cast<char>(unit >> 8U);
    bytes += one;
  }
  return bytes;
}

constexpr std::array<std::pair<WideEncoding, std::pair<std::size_t, bool>>, 4> kAll{{
    {WideEncoding::utf16le, {2, false}},
    {WideEncoding::utf16be, {2, true}},
    {WideEncoding::utf32le, {4, false}},
    {WideEncoding::utf32be, {4, true}},
}};

TEST(WideEncoding, IsToldByItsMark) {
  for (const auto& [encoding, form] : kAll) {
    EXPECT_EQ(wide_encoding(in_units(u"\uFEFFHello", form.first, form.second)), encoding);
    EXPECT_EQ(wide_encoding(in_units(u"\uFEFF", form.first, form.second)), encoding);
    EXPECT_EQ(wide_encoding(in_units(u"\uFEFF\u6F22\u5B57", form.first, form.second)), encoding);
  }
}

TEST(WideEncoding, IsToldByItsZerosWhereThereIsNoMark) {
  for (const auto& [encoding, form] : kAll) {
    EXPECT_EQ(wide_encoding(in_units(u"Hello", form.first, form.second)), encoding);
    EXPECT_EQ(wide_encoding(in_units(u"Hi", form.first, form.second)), encoding);
    EXPECT_EQ(wide_encoding(in_units(u"\u4E00\u5B57, \u6F22\n", form.first, form.second)),
              encoding);
  }
  // Its bytes are valid UTF-8 too.
  EXPECT_EQ(
      wide_encoding(in_units(u"\u041F\u0440\u0438\u0432\u0435\u0442 \u043C\u0438\u0440", 2, true)),
      WideEncoding::utf16be);
  // A character beyond the basic plane: two units.
  EXPECT_EQ(wide_encoding(in_units(u"ok \xD83D\xDE00", 2, false)), WideEncoding::utf16le);
}

TEST(WideEncoding, IsNoneOfWhatIsUtf8OrNoText) {
  for (const auto text :
       {""sv, "Hello"sv, "caf\xC3\xA9"sv, "\xEF\xBB\xBFHello"sv, "\0"sv, "Hello\0"sv,
        "Hello\0World!"sv, "GGUF\3\0\0\0\1\0\0\0"sv, "\0\0\0\0"sv, "caf\xE9 au lait"sv}) {
    EXPECT_FALSE(wide_encoding(text)) << text;
  }
  EXPECT_FALSE(wide_encoding(in_units(u"cut off", 2, false) + "x"));
}

TEST(WideEncoding, OfALongTextItsBeginIsEnough) {
  std::string text = in_units(std::u16string(700'000, u'a'), 2, true);
  EXPECT_EQ(wide_encoding(text), WideEncoding::utf16be);
}

TEST(ByteOrderMark, IsNoPartOfTheText) {
  EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBFHello"), "Hello");
  EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBF\xEF\xBB\xBFx"), "\xEF\xBB\xBFx");
  EXPECT_EQ(without_byte_order_mark("\xEF\xBB"), "\xEF\xBB");
  EXPECT_EQ(without_byte_order_mark(""), "");
}

TEST(ConversionCommand, CanBePasted) {
  EXPECT_EQ(conversion_command("utf-16le", "a b.txt"), "iconv -f utf-16le -t utf-8 'a b.txt'");
  EXPECT_EQ(conversion_command("latin1", "-x"), "iconv -f latin1 -t utf-8 -- -x");
  EXPECT_EQ(conversion_command(iconv_name(WideEncoding::utf32be), "-"),
            "iconv -f utf-32be -t utf-8");
}

}  // namespace
}  // namespace enprof
