// Text in lower case, for names that are compared without regard to case.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// Changes only A to Z; all other bytes stay the same, in every locale.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace enprof
