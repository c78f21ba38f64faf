// Numbers and texts as people read them.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// What stands where nothing was measured: absent is never zero.
inline constexpr std::string_view kAbsent = "–";

/// Three or four significant digits with an SI prefix: "12.34 mJ", "1.235 kJ"; "0 J".
[[nodiscard]] std::string format_energy(Joules energy);
[[nodiscard]] std::string format_energy(const std::optional<Joules>& energy);
[[nodiscard]] std::string format_power(Watts power);
[[nodiscard]] std::string format_power(const std::optional<Watts>& power);
/// "850 ns", "12.34 ms", "1.235 s", "2 min 05 s", "1 h 02 min".
[[nodiscard]] std::string format_duration(Nanoseconds duration);
/// "1 run", "2 runs": a number and what there are so many of, whose plural ends in s.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun);
[[nodiscard]] inline std::string counted(std::size_t count, std::string_view noun) {
  return counted(static_cast<std::int64_t>(count), noun);
}
[[nodiscard]] inline std::string counted(int count, std::string_view noun) {
  return counted(static_cast<std::int64_t>(count), noun);
}
/// "41.2 M", "7.24 B": counts as model engineers write them.
[[nodiscard]] std::string format_count(std::uint64_t count);
/// A number with this many significant digits and an SI prefix before the unit.
[[nodiscard]] std::string format_si(double value, std::string_view unit, int digits = 4);
/// "12.3 %" of a ratio.
[[nodiscard]] std::string format_percent(double ratio);
/// "0.00000041 USD": as many decimals as it takes to show two significant digits.
[[nodiscard]] std::string format_usd(double usd);
/// "2026-11-23 20:57:22 UTC".
[[nodiscard]] std::string format_wall_time(WallTime time);

/// A text on one line and safe to print: control characters escaped (\n, \x1b), invalid UTF-8
/// replaced, cut to this many columns with an ellipsis, in quotes.
[[nodiscard]] std::string quote(std::string_view text, std::size_t columns);

/// A text cut to this many columns, with an ellipsis where anything is cut. It must be printable.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

/// A text cut into lines of at most this many columns, between words, and not before "%" or "·"; a
/// word that is longer has a line of its own. Each line but the first begins with `indent` blanks,
/// which count.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t columns, std::size_t indent);

/// Columns that a UTF-8 text takes on a terminal; wide characters take two.
[[nodiscard]] std::size_t display_width(std::string_view text);

}  // namespace enprof
