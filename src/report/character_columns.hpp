// The width of a character on a terminal.
#pragma once

#include <cstddef>

namespace enprof {

/// Two columns for East Asian wide characters and emoji; zero for combining marks, format
/// characters and control characters; one for all others, including unassigned code points. From
/// utf8proc's Unicode tables, except for two classes: see the source.
[[nodiscard]] std::size_t columns_of(char32_t c);

}  // namespace enprof
