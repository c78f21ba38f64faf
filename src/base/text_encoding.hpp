// Finds out which Unicode encoding a text has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Encodings that a text may have instead of UTF-8.
enum class WideEncoding : std::uint8_t { utf16le, utf16be, utf32le, utf32be };

/// iconv's name for it: "utf-16le".
[[nodiscard]] std::string_view iconv_name(WideEncoding encoding);

/// The encoding of a text: by its byte-order mark, or without one by the positions of its zero
/// bytes, if the whole text is valid in that encoding. Empty if it is another one, or unknown.
[[nodiscard]] std::optional<WideEncoding> wide_encoding(std::string_view text);

/// The text without UTF-8's byte-order mark, which is not part of it.
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text);

/// The command that converts a file to UTF-8, or standard input if the file is "-":
/// "iconv -f utf-16le -t utf-8 'my file.txt'".
[[nodiscard]] std::string conversion_command(std::string_view encoding, std::string_view file);

}  // namespace enprof
