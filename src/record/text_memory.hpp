// The names and texts of a run, where other threads or another process read them by number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace enprof {

/// A section's name.
struct RecordedName {
  static constexpr std::size_t kLongest = 48;  ///< bytes; the rest is cut off

  std::array<char, kLongest> text{};
  std::uint32_t length = 0;
};

/// Where a token's text lies in TextMemory::bytes.
struct RecordedText {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
static_assert(sizeof(RecordedName) == 52 && std::is_trivially_copyable_v<RecordedName>);
static_assert(sizeof(RecordedText) == 16 && std::is_trivially_copyable_v<RecordedText>);

/// Refers to memory that is zero before the run. What it says is checked: another process may have
/// written it.
struct TextMemory {
  static constexpr std::size_t kMostNames = 64;

  std::span<RecordedName> names;  ///< kMostNames
  std::span<RecordedText> texts;  ///< by token
  std::span<char> bytes;

  /// Empty if there is no such name.
  [[nodiscard]] std::string_view name(std::size_t index) const noexcept {
    if (index >= names.size()) {
      return {};
    }
    const RecordedName& entry = names[index];
    return {entry.text.data(), entry.length <= entry.text.size() ? entry.length : 0};
  }
  /// Empty if there is no such token.
  [[nodiscard]] std::string_view text(std::size_t token) const noexcept {
    if (token >= texts.size()) {
      return {};
    }
    const RecordedText entry = texts[token];
    return entry.offset > bytes.size() || entry.length > bytes.size() - entry.offset
               ? std::string_view{}
               : std::string_view{bytes.data() + entry.offset, entry.length};
  }
};

}  // namespace enprof
