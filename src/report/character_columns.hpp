// How wide a character is on a terminal.
#pragma once

#include <cstddef>

namespace enprof {

/// Two for East Asian wide characters and emoji, none for marks that combine with what stands
/// before and for what only directs, else one.
[[nodiscard]] std::size_t columns_of(char32_t c);

}  // namespace enprof
