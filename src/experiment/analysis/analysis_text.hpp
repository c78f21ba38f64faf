// Phrases that several analyses use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// " ± 1.2 %": half the interval as a share of the value; empty without one.
[[nodiscard]] std::string relative_text(double value, std::optional<double> half);
/// "12.3 % less (± 0.4 %)".
[[nodiscard]] std::string change_text(double change, std::optional<double> half);
/// "a, b and 3 more".
[[nodiscard]] std::string list_text(const std::vector<std::string>& names, std::size_t most = 6);

}  // namespace enprof
