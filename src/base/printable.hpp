// Makes texts from outside (a model file, an imported run, a prompt) safe for a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// False for control characters (C0, DEL, C1), which could control the terminal; for bidi controls,
/// which could reorder the line; and for line and paragraph separators, which could end it.
[[nodiscard]] bool is_printable(char32_t character) noexcept;

/// Removes the first character from a text, which must not be empty, and returns it in printable
/// form: control characters and bidi controls are escaped (\n, \x1b, \u202e); a byte that is not
/// UTF-8 is replaced.
[[nodiscard]] std::string pop_printable(std::string_view& text);

/// A whole text in printable form, on one line. Printable characters stay the same.
[[nodiscard]] std::string printable(std::string_view text);

/// The same, but line breaks are kept.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// The same for text that enprof made: line breaks and tabs are kept, and so are the escape
/// sequences with which the program sets colours and draws its views.
[[nodiscard]] std::string printable_page(std::string_view text);

/// JSON in which characters of strings that may not be printed are written as \uXXXX, which means
/// the same. (JSON itself escapes only controls below 0x20.)
[[nodiscard]] std::string printable_json(std::string json);

}  // namespace enprof
