#include "profile/save/json_columns.hpp"

#include <fmt/format.h>

#include <charconv>

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

std::string bytes_from_json(const StepJson& json) {
  if (json.is_string()) {
    return json.get<std::string>();
  }
  const auto& hexadecimal = json.at("bytes").get_ref<const std::string&>();
  std::string text;
  for (std::size_t at = 0; at < hexadecimal.size(); at += 2) {
    unsigned char byte = 0;
    const char* const begin = hexadecimal.data() + at;
    const char* const end = begin + std::min<std::size_t>(2, hexadecimal.size() - at);
    if (const auto [stop, failed] = std::from_chars(begin, end, byte, 16);
        failed != std::errc{} || stop != begin + 2) {
      throw std::invalid_argument("the bytes of a text are not hexadecimal");
    }
    text += static_cast<char>(byte);
  }
  return text;
}

}  // namespace enprof
