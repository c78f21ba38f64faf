// Texts of others (a model file, an imported run, a prompt) on their way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// False for controls (C0, DEL, C1), which could drive the terminal; for bidi controls, which could
/// reorder the line; and for the separators of lines and paragraphs, which could end it.
[[nodiscard]] bool is_printable(char32_t character) noexcept;

/// Takes the first character off a text, which must not be empty, and gives it as it may be
/// printed: controls, which could drive the terminal, and bidi controls, which could reorder the
/// line, are escaped (\n, \x1b, \u202e); a byte that is no UTF-8 is replaced.
[[nodiscard]] std::string take_printable(std::string_view& text);

/// A whole text so: one line. What is printable already stays as it is.
[[nodiscard]] std::string printable(std::string_view text);

/// The same, but line breaks stay.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// The same for text of our own making: line breaks and tabs stay, and so do the sequences with
/// which the program itself sets colours and draws its views.
[[nodiscard]] std::string printable_page(std::string_view text);

/// JSON whose strings hold nothing but what may be printed: the rest is written as \uXXXX, which
/// means the same. JSON escapes controls below 0x20 in any case.
[[nodiscard]] std::string printable_json(std::string json);

}  // namespace enprof
