// What somebody may have meant who mistyped a name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace enprof {

/// The known name that the fewest insertions, deletions and replacements of a character lead to
/// (Levenshtein); empty where even that needs more of them than half of the name's length.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view name,
                                                           std::span<const std::string_view> known);

}  // namespace enprof
