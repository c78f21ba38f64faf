// Texts of others (a model file, an imported run, a prompt) on their way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// Takes the first character off a text, which must not be empty, and gives it as it may be
/// printed: controls, which could drive the terminal, and bidi controls, which could reorder the
/// line, are escaped (\n, \x1b, \u202e); a byte that is no UTF-8 is replaced.
[[nodiscard]] std::string take_printable(std::string_view& text);

/// A whole text so: one line. What is printable already stays as it is.
[[nodiscard]] std::string printable(std::string_view text);

/// The same, but line breaks stay.
[[nodiscard]] std::string printable_lines(std::string_view text);

}  // namespace enprof
