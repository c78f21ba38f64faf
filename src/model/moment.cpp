#include "model/moment.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>

namespace enprof {

Result<WallTime> parse_moment(std::string_view text, DayPart part) {
  const auto bad = [&] {
    return fail(ErrorCode::invalid_argument, fmt::format("\"{}\" is not a date or time", text),
                "Write it as 2026-09-21, or 2026-09-21 14:13 (UTC).");
  };
  std::array<unsigned, 6> parts{};  // year, month, day, hour, minute, second
  constexpr std::array<std::size_t, 6> kDigits{4, 2, 2, 2, 2, 2};
  constexpr std::array<std::string_view, 6> kBefore{"", "-", "-", "T ", ":", ":"};
  std::size_t count = 0;
  std::string_view rest = text;
  if (rest.ends_with('Z')) {
    rest.remove_suffix(1);
  }
  for (; count < parts.size() && !rest.empty(); ++count) {
    if (count > 0) {
      if (kBefore[count].find(rest.front()) == std::string_view::npos) {
        return bad();
      }
      rest.remove_prefix(1);
    }
    const std::string_view digits = rest.substr(0, kDigits[count]);
    const auto [stop, failed] =
        std::from_chars(digits.data(), digits.data() + digits.size(), parts[count]);
    if (failed != std::errc{} || digits.size() != kDigits[count] ||
        stop != digits.data() + digits.size()) {
      return bad();
    }
    rest.remove_prefix(digits.size());
  }
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(parts[0])},
                                         std::chrono::month{parts[1]}, std::chrono::day{parts[2]}};
  if (!rest.empty() || count < 3 || count == 4 || !date.ok() || parts[3] > 23 || parts[4] > 59 ||
      parts[5] > 59) {
    return bad();
  }
  WallTime moment = std::chrono::sys_days{date};
  if (count == 3) {
    return part == DayPart::begin ? moment : moment + std::chrono::days{1};
  }
  moment += std::chrono::hours{parts[3]} + std::chrono::minutes{parts[4]} +
            std::chrono::seconds{parts[5]};
  return moment;
}

}  // namespace enprof
