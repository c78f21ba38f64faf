// How wide a character is on a terminal.
#pragma once

#include <cstddef>

namespace enprof {

/// Two for East Asian wide characters and emoji; zero for marks that are drawn over the character
/// before them, for format characters and for control characters; one for all others, also where
/// Unicode has no character yet. From utf8proc's tables of Unicode, but for two classes: see the
/// source.
[[nodiscard]] std::size_t columns_of(char32_t c);

}  // namespace enprof
