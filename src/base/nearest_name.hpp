// Suggests the name that a mistyped name probably meant.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace enprof {

/// The known name with the fewest edits: a character inserted, deleted or replaced, or two
/// neighbours swapped (optimal string alignment; case is ignored). Empty if even that name needs
/// more edits than half of the name's length.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view name,
                                                           std::span<const std::string_view> known);

}  // namespace enprof
