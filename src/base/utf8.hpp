// Checks and repairs UTF-8: prompts must be valid; responses and output to terminals are made
// valid.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Length in bytes of the valid sequence (RFC 3629: shortest forms, no surrogates, at most
/// U+10FFFF) at the start of a text; 0 if there is none. The text must not be empty.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text) noexcept;

/// The first character of a text.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 1;  ///< in bytes
  bool valid = false;      ///< if not, it is one byte that belongs to no sequence
};
/// The text must not be empty.
[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

/// Offset of the first byte that does not belong to a valid UTF-8 sequence; empty if the text is
/// valid.
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view text) noexcept;

/// The number of bytes at the end of a text that begin a sequence whose rest is missing (0–3): a
/// model's token may end in the middle of a character.
[[nodiscard]] std::size_t unfinished_utf8(std::string_view text) noexcept;

/// The text with each invalid byte replaced by U+FFFD.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

}  // namespace enprof
