#include "report/character_columns.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace enprof {
namespace {

void expect_columns(std::size_t columns, std::initializer_list<char32_t> characters) {
  for (const char32_t c : characters) {
    EXPECT_EQ(columns_of(c), columns) << "U+" << std::hex << static_cast<unsigned>(c);
  }
}

TEST(CharacterColumns, LettersAndSignsTakeOne) {
  expect_columns(1, {U'a', U'~', U'µ', U'é', U'–', U'│', U'…', U'я', U'€', U'\u00AD'});
}

TEST(CharacterColumns, EastAsianCharactersAndEmojiTakeTwo) {
  expect_columns(2, {U'日', U'ひ', U'한', U'（', U'ᄀ', U'🙂', U'🔋', U'⌚'});
}

TEST(CharacterColumns, CombiningMarksAndFormatCharactersTakeNone) {
  expect_columns(0, {U'\u0301', U'\u20DD', U'\uFE0F', U'\u200B', U'\u200D', U'\u064B'});
}

// Characters for which utf8proc alone gives a different width.
TEST(CharacterColumns, VowelSignsWithAPlaceOfTheirOwnTakeOne) {
  expect_columns(1, {U'\u0903', U'\u093E', U'\u0BBE'});
}
TEST(CharacterColumns, PiecesOfAHangulSyllableTakeNoneAfterTheFirst) {
  expect_columns(0, {U'\u1161', U'\u11A8', U'\uD7B0'});
}

TEST(CharacterColumns, CodePointsWithoutACharacterTakeOne) {
  expect_columns(1, {U'\u0378', U'\U0010FFFD', char32_t{0x110000}, char32_t{0xFFFFFFFF}});
}

}  // namespace
}  // namespace enprof
