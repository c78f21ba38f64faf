#include "report/character_columns.hpp"

#include <utf8proc.h>

namespace enprof {
namespace {

/// The vowels and final consonants of Hangul syllables that are written as separate code points:
/// terminals draw them into the two columns of the initial consonant. utf8proc counts each as a
/// letter.
bool joins_hangul_syllable(const utf8proc_property_t& properties) {
  return properties.boundclass == UTF8PROC_BOUNDCLASS_V ||
         properties.boundclass == UTF8PROC_BOUNDCLASS_T;
}

/// Vowel signs such as those of Devanagari: xterm, VTE and the C library's wcwidth(3) give them a
/// column. utf8proc gives no column to anything that combines.
bool is_spacing_mark(const utf8proc_property_t& properties) {
  return properties.category == UTF8PROC_CATEGORY_MC;
}

}  // namespace

std::size_t columns_of(char32_t c) {
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  const utf8proc_property_t& properties = *utf8proc_get_property(code_point);
  if (is_spacing_mark(properties)) {
    return 1;
  }
  if (joins_hangul_syllable(properties)) {
    return 0;
  }
  return static_cast<std::size_t>(utf8proc_charwidth(code_point));
}

}  // namespace enprof
