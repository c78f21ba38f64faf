#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <utf8proc.h>

namespace enprof {
namespace {

const utf8proc_uint8_t* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

/// At most 4: a sequence has no more bytes.
utf8proc_ssize_t ssize_of(std::string_view text) noexcept {
  constexpr std::size_t kLongestSequence = 4;
  return static_cast<utf8proc_ssize_t>(std::min(text.size(), kLongestSequence));
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text) noexcept {
  const CodePoint point = first_code_point(text);
  return point.valid ? point.length : 0;
}

CodePoint first_code_point(std::string_view text) noexcept {
  utf8proc_int32_t value = 0;
  const utf8proc_ssize_t length = utf8proc_iterate(bytes_of(text), ssize_of(text), &value);
  if (length <= 0) {
    return {};
  }
  return {static_cast<char32_t>(value), static_cast<std::size_t>(length), true};
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
  // A sequence is unfinished if more bytes can make it valid. It is enough to try the lowest and
  // the highest continuation, because all bytes but the second have the same range.
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    const auto lead = static_cast<unsigned char>(tail.front());
    if (lead < 0x80) {
      return 0;
    }
    if (lead < 0xC0) {
      continue;  // a continuation byte: its lead byte comes before it
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
