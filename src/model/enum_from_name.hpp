// The inverse of to_string, for enums without an inverse of their own.
#pragma once

#include <optional>
#include <string_view>

namespace enprof {

/// The value whose to_string() is `name`; empty if there is no such value. For enums whose values
/// count from zero without gaps.
template <class Enum>
[[nodiscard]] std::optional<Enum> enum_from_name(std::string_view name) {
  constexpr int kMost = 32;  // more values than any such enum has
  for (int value = 0; value < kMost; ++value) {
    const auto candidate = static_cast<Enum>(value);
    if (to_string(candidate) == name && name != "unknown") {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace enprof
