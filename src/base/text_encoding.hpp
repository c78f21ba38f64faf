// Texts as files hold them: which of Unicode's encodings they are in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Encodings that a text may have instead of UTF-8.
enum class WideEncoding : std::uint8_t { utf16le, utf16be, utf32le, utf32be };

/// As iconv calls it: "utf-16le".
[[nodiscard]] std::string_view iconv_name(WideEncoding encoding);

/// Which of them a text is in: by its byte-order mark, or without one by where its zero bytes are,
/// where all of it makes sense so. Empty where it is another, or cannot be told.
[[nodiscard]] std::optional<WideEncoding> wide_encoding(std::string_view text);

/// The text without the byte-order mark of UTF-8, which is no part of it.
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text);

/// The command that makes UTF-8 of a file, or of standard input where the file is "-":
/// "iconv -f utf-16le -t utf-8 'my file.txt'".
[[nodiscard]] std::string conversion_command(std::string_view encoding, std::string_view file);

}  // namespace enprof
