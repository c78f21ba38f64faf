#include "base/text_encoding.hpp"

#include "base/shell_quote.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace enprof {
namespace {

using namespace std::string_view_literals;

/// At most this many bytes are examined if there is no mark.
constexpr std::size_t kLookedAt = std::size_t{1} << 20U;

/// The unit of `size` bytes at an offset.
std::uint32_t unit_at(std::string_view text, std::size_t offset, std::size_t size, bool big) {
  std::uint32_t value = 0;
  for (std::size_t index = 0; index < size; ++index) {
    const std::size_t place = big ? index : size - 1 - index;
    value = value << 8U | static_cast<unsigned char>(text[offset + place]);
  }
  return value;
}

constexpr bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
constexpr bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

bool is_utf32(std::string_view text, bool big) {
  for (std::size_t offset = 0; offset < text.size(); offset += 4) {
    const std::uint32_t value = unit_at(text, offset, 4, big);
    if (value == 0 || value > 0x10FFFF || is_high_surrogate(value) || is_low_surrogate(value)) {
      return false;
    }
  }
  return true;
}

/// If the bytes are valid UTF-8 too (with stray zeros in them), at least half of the units must be
/// characters of alphabets (below U+0900): their high bytes would be controls, which texts lack.
bool is_utf16(std::string_view text, bool big) {
  std::size_t units = 0;
  std::size_t latin = 0;
  std::size_t alphabetic = 0;
  std::size_t low_is_zero = 0;
  for (std::size_t offset = 0; offset < text.size(); offset += 2) {
    const std::uint32_t unit = unit_at(text, offset, 2, big);
    if (unit == 0 || is_low_surrogate(unit)) {
      return false;
    }
    if (is_high_surrogate(unit)) {
      offset += 2;
      if (offset >= text.size() || !is_low_surrogate(unit_at(text, offset, 2, big))) {
        return false;
      }
    }
    ++units;
    latin += unit < 0x100 ? 1 : 0;
    alphabetic += unit < 0x900 ? 1 : 0;
    low_is_zero += (unit & 0xFFU) == 0 ? 1 : 0;
  }
  // The high byte of each blank, line end and Latin letter is zero; the low byte hardly ever is.
  return latin > low_is_zero && (2 * alphabetic >= units || first_invalid_utf8(text));
}

}  // namespace

std::string_view iconv_name(WideEncoding encoding) {
  switch (encoding) {
    case WideEncoding::utf16le:
      return "utf-16le";
    case WideEncoding::utf16be:
      return "utf-16be";
    case WideEncoding::utf32le:
      return "utf-32le";
    case WideEncoding::utf32be:
      return "utf-32be";
  }
  return "utf-16";
}

std::optional<WideEncoding> wide_encoding(std::string_view text) {
  // UTF-32's mark begins with UTF-16's.
  constexpr std::array<std::pair<std::string_view, WideEncoding>, 4> kMarks{{
      {"\xFF\xFE\0\0"sv, WideEncoding::utf32le},
      {"\0\0\xFE\xFF"sv, WideEncoding::utf32be},
      {"\xFF\xFE"sv, WideEncoding::utf16le},
      {"\xFE\xFF"sv, WideEncoding::utf16be},
  }};
  for (const auto& [mark, encoding] : kMarks) {
    if (text.starts_with(mark)) {
      return encoding;
    }
  }
  if (text.find('\0') == std::string_view::npos) {
    return std::nullopt;
  }
  const bool is_whole = text.size() <= kLookedAt;
  const std::string_view head = text.substr(0, kLookedAt);
  if (!is_whole || text.size() % 4 == 0) {
    for (const bool big : {false, true}) {
      if (is_utf32(head, big)) {
        return big ? WideEncoding::utf32be : WideEncoding::utf32le;
      }
    }
  }
  if (!is_whole || text.size() % 2 == 0) {
    for (const bool big : {false, true}) {
      if (is_utf16(head, big)) {
        return big ? WideEncoding::utf16be : WideEncoding::utf16le;
      }
    }
  }
  return std::nullopt;
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) {
    text.remove_prefix(kMark.size());
  }
  return text;
}

std::string conversion_command(std::string_view encoding, std::string_view file) {
  std::string command = "iconv -f " + std::string{encoding} + " -t utf-8";
  if (file != "-") {
    // iconv would take a name that begins with a dash for an option.
    command += (file.starts_with('-') ? " -- " : " ") + shell_quote(file);
  }
  return command;
}

}  // namespace enprof
