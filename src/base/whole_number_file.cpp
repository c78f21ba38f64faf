#include "base/whole_number_file.hpp"

#include "base/first_line.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

namespace enprof {

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

}  // namespace enprof
