// Text in lower case, for names that are compared whatever their case.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// A to Z alone are changed; every other byte stays, whatever the locale says.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace enprof
