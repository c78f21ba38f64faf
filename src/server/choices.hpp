// What to say to who named something that there is not.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// "Did you mean 'desc'? Choose one of: asc, desc"; the question only where one of them is near.
[[nodiscard]] std::string say_choices(std::string_view given,
                                      std::span<const std::string_view> known);

}  // namespace enprof
