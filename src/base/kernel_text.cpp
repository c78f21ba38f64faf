#include "base/kernel_text.hpp"

#include "base/first_line.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <system_error>

namespace enprof {

std::optional<std::string> text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  std::getline(in, text, '\0');     // the kernel's texts have no zero bytes
  if (!in.is_open() || in.bad()) {  // a directory can be opened, and fails when it is read
    return std::nullopt;
  }
  return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpace, end);
  }
  return words;
}

std::optional<std::uint64_t> whole_number_in(std::string_view word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc{} || end != word.data() + word.size() ||
      value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> number_of(const std::filesystem::path& path) {
  const auto text = text_of(path);
  return text ? whole_number_in(trimmed(*text)) : std::nullopt;
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key) {
  const auto words = words_of(text);
  for (std::size_t index = 0; index < words.size(); ++index) {
    std::string_view word = words[index];
    if (!word.starts_with(key)) {
      continue;
    }
    word.remove_prefix(key.size());
    if (word.starts_with('=')) {
      return whole_number_in(word.substr(1));
    }
    if ((word.empty() || word == ":") && index + 1 < words.size()) {
      return whole_number_in(words[index + 1]);
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> line_after(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(word) && (line.size() == word.size() || line[word.size()] == ' ')) {
      return line.substr(word.size());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace enprof
