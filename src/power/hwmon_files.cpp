#include "power/hwmon_files.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <string_view>
#include <system_error>

namespace enprof {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string first_line_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return std::string(trimmed(line));
}

Result<std::int64_t> read_whole_number(const PolledFile& file) {
  std::array<char, 64> buffer{};
  const auto text = file.read(buffer);
  if (!text) {
    return std::unexpected(text.error());
  }
  const std::string_view digits = trimmed(*text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    return fail(ErrorCode::malformed, fmt::format("{} holds '{}' where a whole number should be",
                                                  file.path().string(), digits));
  }
  return value;
}

Result<std::int64_t> read_whole_number(const std::filesystem::path& path) {
  const auto file = PolledFile::open(path);
  return file ? read_whole_number(*file) : std::unexpected(file.error());
}

Result<Watts> read_power(const HwmonChannel::Input& input) {
  const auto value = read_whole_number(input.value);
  if (!value) {
    return std::unexpected(value.error());
  }
  if (input.current.empty()) {
    return Watts{static_cast<double>(*value) * 1e-6};
  }
  const auto current = read_whole_number(input.current);
  if (!current) {
    return std::unexpected(current.error());
  }
  return Watts{static_cast<double>(*value) * static_cast<double>(*current) * 1e-6};
}

}  // namespace enprof
