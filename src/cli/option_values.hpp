// What an option's value may be: told to people in the help, checked, and corrected in words.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

// Those of numbers and words go to Option::transform, as they write a value as CLI11 reads it
// (010 is ten, Deep is deep); not_empty goes to Option::check.

/// A decimal number without a fraction within these bounds.
[[nodiscard]] CLI::Validator whole_number(std::int64_t least, std::int64_t most);

/// A number within these bounds, which count as well; without an upper one where `most` is empty.
[[nodiscard]] CLI::Validator number(double least, std::optional<double> most);

/// The same, but above the lower bound.
[[nodiscard]] CLI::Validator number_above(double bound, double most);

/// One of these words, in upper or lower case. A wrong one is answered with the one probably meant.
[[nodiscard]] CLI::Validator one_of(std::vector<std::string> words);

/// Anything but nothing: `--db "$UNSET"` means no default.
[[nodiscard]] CLI::Validator not_empty();

/// "; did you mean --depth?" where one of the known names is near, else nothing.
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       const std::vector<std::string>& known);

/// "a, b or c".
[[nodiscard]] std::string listed(const std::vector<std::string>& words);

}  // namespace enprof
