#include "base/printable.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace enprof {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }  // C0 and C1

/// Unicode's property Bidi_Control (UAX #9).
bool is_bidi_control(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool is_separator(char32_t c) { return c == 0x2028 || c == 0x2029; }

/// The sequences that the program itself sends to a terminal: colours (text_table.cpp), the view of
/// `watch` (watch_command.cpp), the status line (console.cpp).
constexpr std::array<std::string_view, 13> kOwnSequences{
    "\x1b[0m", "\x1b[1m", "\x1b[2m",     "\x1b[31m",  "\x1b[32m",    "\x1b[33m", "\x1b[H",
    "\x1b[J",  "\x1b[K",  "\x1b[?1049h", "\x1b[?25l", "\x1b[?1049l", "\x1b[?25h"};

std::size_t own_sequence_length(std::string_view text) {
  const auto* const found = std::ranges::find_if(
      kOwnSequences, [&](std::string_view sequence) { return text.starts_with(sequence); });
  return found == kOwnSequences.end() ? 0 : found->size();
}

}  // namespace

bool is_printable(char32_t character) noexcept {
  return !is_control(character) && !is_bidi_control(character) && !is_separator(character);
}

std::string pop_printable(std::string_view& text) {
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
  if (!is_printable(point.value)) {
    return fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
  }
  return std::string{bytes};
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    result += pop_printable(text);
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
      result += pop_printable(text);
    }
  }
  return result;
}

std::string printable_page(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::size_t own = own_sequence_length(text);
    if (own == 0) {
      own = text.starts_with("\r\n") ? 2 : text.front() == '\n' || text.front() == '\t' ? 1 : 0;
    }
    if (own > 0) {
      result += text.substr(0, own);
      text.remove_prefix(own);
    } else {
      result += pop_printable(text);
    }
  }
  return result;
}

std::string printable_json(std::string json) {
  constexpr unsigned char kDelete = 0x7F;  // JSON itself escapes the controls below 0x20
  const auto is_suspect = [](char c) { return static_cast<unsigned char>(c) >= kDelete; };
  std::string result;
  std::string_view rest = json;
  std::size_t kept = 0;  // the length of the text that has been copied
  for (auto at = std::ranges::find_if(json, is_suspect); at != json.end();
       at = std::find_if(at, json.end(), is_suspect)) {
    const auto offset = static_cast<std::size_t>(at - json.begin());
    const CodePoint point = first_code_point(rest.substr(offset));
    if (point.valid && !is_printable(point.value)) {
      result += rest.substr(kept, offset - kept);
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
      kept = offset + point.length;
    }
    at += static_cast<std::ptrdiff_t>(point.length);
  }
  if (kept == 0) {
    return json;
  }
  return result += rest.substr(kept);
}

}  // namespace enprof
