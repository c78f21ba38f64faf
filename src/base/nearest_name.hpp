// What somebody may have meant who mistyped a name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace enprof {

/// The known name that the fewest steps lead to: a character put in, left out or replaced, or two
/// neighbours swapped (optimal string alignment; upper and lower case are the same). Empty where
/// even that needs more steps than half of the name's length.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view name,
                                                           std::span<const std::string_view> known);

}  // namespace enprof
