// Checks option values, describes the allowed ones in the help, and suggests corrections.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

// Pass validators of numbers and words to Option::transform, since they rewrite the value for CLI11
// (010 becomes 10, Deep becomes deep); pass not_empty to Option::check.

/// An integer in decimal digits, within these bounds.
[[nodiscard]] CLI::Validator whole_number(std::int64_t least, std::int64_t most);

/// A number within these bounds, inclusive; without an upper bound if `most` is empty.
[[nodiscard]] CLI::Validator number(double least, std::optional<double> most);

/// A number above `bound`, at most `most`.
[[nodiscard]] CLI::Validator number_above(double bound, double most);

/// A percentage from 0 to `most`, with or without its sign: "2%" becomes 2.
[[nodiscard]] CLI::Validator percentage(double most);

/// One of these words, ignoring case. The error suggests the word that was probably meant.
[[nodiscard]] CLI::Validator one_of(std::vector<std::string> words);

/// Any text but the empty one: `--db "$UNSET"` must not mean the default.
[[nodiscard]] CLI::Validator not_empty();

/// "; did you mean --depth?" if one of the known names is similar, else empty.
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       const std::vector<std::string>& known);

/// "a, b or c".
[[nodiscard]] std::string listed(const std::vector<std::string>& words);

}  // namespace enprof
