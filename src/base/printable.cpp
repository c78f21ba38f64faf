#include "base/printable.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>

namespace enprof {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }  // C0 and C1

bool is_bidi_control(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string take_printable(std::string_view& text) {
  const CodePoint point = first_code_point(text);
  const std::string_view bytes = text.substr(0, point.length);
  text.remove_prefix(point.length);
  if (!point.valid) {
    return std::string{kReplacement};
  }
  switch (point.value) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (is_control(point.value)) {
    return fmt::format("\\x{:02x}", static_cast<unsigned>(point.value));
  }
  if (is_bidi_control(point.value)) {
    return fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
  }
  return std::string{bytes};
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    result += take_printable(text);
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    if (text.front() == '\n') {
      result += '\n';
      text.remove_prefix(1);
    } else {
      result += take_printable(text);
    }
  }
  return result;
}

}  // namespace enprof
