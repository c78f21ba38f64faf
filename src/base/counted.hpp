// Numbers with their noun, for people.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace enprof {

/// "1 span", "2 spans": for a noun whose plural ends with s.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun);
template <std::integral Number>
[[nodiscard]] std::string counted(Number count, std::string_view noun) {
  return counted(static_cast<std::int64_t>(count), noun);
}

}  // namespace enprof
