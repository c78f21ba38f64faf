#include "cli/word_list.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>

namespace enprof {

bool is_file(const std::string& word) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(word, ignored);
}

std::vector<std::string> split_list(const std::string& word) {
  if (is_file(word)) {
    return {word};
  }
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= word.size();) {
    const std::size_t end = std::min(word.find(',', at), word.size());
    if (end > at) {
      parts.push_back(word.substr(at, end - at));
    }
    at = end + 1;
  }
  return parts;
}

}  // namespace enprof
