#include "profile/save/json_columns.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace enprof {

StepJson bytes_to_json(std::string_view text) {
  if (!first_invalid_utf8(text)) {
    return text;
  }
  std::string hexadecimal;
  for (const char byte : text) {
    hexadecimal += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return {{"bytes", std::move(hexadecimal)}};
}

std::string bytes_from_json(const JsonNode& node) {
  if (!node.json().is_object()) {
    return node.text();
  }
  const JsonNode bytes = node.at("bytes");
  const std::string hexadecimal = bytes.text();
  std::string text;
  for (std::size_t at = 0; at < hexadecimal.size(); at += 2) {
    unsigned char byte = 0;
    const char* const begin = hexadecimal.data() + at;
    const char* const end = begin + std::min<std::size_t>(2, hexadecimal.size() - at);
    if (const auto [stop, failed] = std::from_chars(begin, end, byte, 16);
        failed != std::errc{} || stop != begin + 2) {
      bytes.is_not("bytes in hexadecimal");
    }
    text += static_cast<char>(byte);
  }
  return text;
}

std::string JsonReader::name_then(std::string name) const {
  for (const ColumnChange& change : format_.changes) {
    if (change.list == list_ && change.column == name && format_.version < change.since &&
        !change.before.empty()) {
      name = change.before;
    }
  }
  return name;
}

bool JsonReader::may_be_missing(std::string_view name) const {
  return format_.version == 1 ||
         std::ranges::any_of(format_.changes, [&](const ColumnChange& change) {
           return change.list == list_ && change.column == name && change.before.empty() &&
                  format_.version < change.since;
         });
}

}  // namespace enprof
