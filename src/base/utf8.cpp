#include "base/utf8.hpp"

#include <array>

namespace enprof {

std::size_t utf8_sequence_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  // The second byte's range rules out overlong forms, surrogates and values above U+10FFFF.
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    low = lead == 0xE0 ? 0xA0 : low;
    high = lead == 0xED ? 0x9F : high;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    low = lead == 0xF0 ? 0x90 : low;
    high = lead == 0xF4 ? 0x8F : high;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) {
    return 0;
  }
  for (std::size_t index = 2; index < length; ++index) {
    if (byte(index) < 0x80 || byte(index) > 0xBF) {
      return 0;
    }
  }
  return length;
}

CodePoint first_code_point(std::string_view text) noexcept {
  const std::size_t length = utf8_sequence_length(text);
  if (length == 0) {
    return {};
  }
  // The lead byte holds 7, 5, 4 or 3 bits, by length; each byte after it 6.
  constexpr std::array<unsigned char, 5> kLeadMask{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t value = static_cast<unsigned char>(text[0]) & kLeadMask[length];
  for (std::size_t index = 1; index < length; ++index) {
    value = (value << 6U) | (static_cast<unsigned char>(text[index]) & 0x3FU);
  }
  return {value, length, true};
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t length = utf8_sequence_length(text.substr(offset));
    if (length == 0) {
      return offset;
    }
    offset += length;
  }
  return std::nullopt;
}

std::size_t unfinished_utf8(std::string_view text) noexcept {
  // What can be made valid by more bytes is unfinished; the lowest and the highest that may follow
  // find out, as the range of each but the second is the same.
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    const auto lead = static_cast<unsigned char>(tail.front());
    if (lead < 0x80) {
      return 0;
    }
    if (lead < 0xC0) {
      continue;  // a continuation: its lead stands before it
    }
    std::array<char, 4> whole{};
    const std::size_t needed = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (const char filler : {'\x80', '\xBF'}) {
      for (std::size_t index = 0; index < needed; ++index) {
        whole[index] = index < length ? tail[index] : filler;
      }
      if (length < needed && utf8_sequence_length({whole.data(), needed}) == needed) {
        return length;
      }
    }
    return 0;
  }
  return 0;
}

std::string to_valid_utf8(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bad = first_invalid_utf8(text).value_or(text.size());
    result += text.substr(0, bad);
    text.remove_prefix(bad);
    if (!text.empty()) {
      result += kReplacement;
      text.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace enprof
