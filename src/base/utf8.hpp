// UTF-8, checked and mended: prompts must be valid, responses are made so, terminals get nothing
// else.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Length of the valid sequence (RFC 3629: shortest forms, no surrogates, at most U+10FFFF) that a
/// text begins with; 0 where there is none. The text must not be empty.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text) noexcept;

/// What a text begins with.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 1;  ///< in bytes
  bool valid = false;      ///< else it is one byte that belongs to no sequence
};
/// The text must not be empty.
[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

/// Offset of the first byte that does not belong to a valid UTF-8 sequence; empty where
/// the text is valid.
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view text) noexcept;

/// How many bytes at the end of a text begin a sequence whose rest has not come yet: tokens of a
/// model may end in the middle of a character. 0–3.
[[nodiscard]] std::size_t unfinished_utf8(std::string_view text) noexcept;

/// The text with each invalid byte replaced by U+FFFD.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

}  // namespace enprof
