// The hint for a client that named something unknown.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// "Did you mean 'desc'? Choose one of: asc, desc". The question is left out if no choice is
/// similar.
[[nodiscard]] std::string say_choices(std::string_view given,
                                      std::span<const std::string_view> known);

}  // namespace enprof
