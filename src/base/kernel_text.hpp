// Small text files of procfs and sysfs that hold words and numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The whole text; empty if the file cannot be read.
[[nodiscard]] std::optional<std::string> text_of(const std::filesystem::path& path);

/// What stands between blanks and line ends. The words lie in the text.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);

/// A whole number without a sign; empty for anything else. Some sandboxes show -1 as an unsigned
/// number: what no signed number can hold is no number either.
[[nodiscard]] std::optional<std::uint64_t> whole_number_in(std::string_view word);
/// The only number of a file.
[[nodiscard]] std::optional<std::uint64_t> number_of(const std::filesystem::path& path);

/// The number that follows a key: "nr_throttled 5", "VmSwap:  12 kB", "total=7". In a text of lines
/// with a word in front of several keys each, pass the line.
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text,
                                                        std::string_view key);
/// The line that begins with this word, without it; empty if there is none.
[[nodiscard]] std::optional<std::string_view> line_after(std::string_view text,
                                                         std::string_view word);

}  // namespace enprof
