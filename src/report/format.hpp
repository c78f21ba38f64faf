// Formats numbers and texts for people.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Shown in place of an absent value: absent is never zero.
inline constexpr std::string_view kAbsent = "–";

/// Three or four significant digits with an SI prefix: "12.34 mJ", "1.235 kJ"; "0 J".
[[nodiscard]] std::string format_energy(Joules energy);
[[nodiscard]] std::string format_energy(const std::optional<Joules>& energy);
[[nodiscard]] std::string format_power(Watts power);
[[nodiscard]] std::string format_power(const std::optional<Watts>& power);
/// "850 ns", "12.34 ms", "1.235 s", "2 min 05 s", "1 h 02 min".
[[nodiscard]] std::string format_duration(Nanoseconds duration);
/// "41.2 M", "7.24 B": counts in the notation of model engineers.
[[nodiscard]] std::string format_count(std::uint64_t count);
/// A number with this many significant digits and an SI prefix before the unit.
[[nodiscard]] std::string format_si(double value, std::string_view unit, int digits = 4);
/// "12.3 %" of a ratio.
[[nodiscard]] std::string format_percent(double ratio);
/// "0.00000041 USD": with as many decimals as two significant digits need.
[[nodiscard]] std::string format_usd(double usd);
/// "2026-11-23 20:57:22 UTC".
[[nodiscard]] std::string format_wall_time(WallTime time);
/// "2026-11-23T20:57:22.123Z", for programs.
[[nodiscard]] std::string utc_text(WallTime time);

/// The name of a section or component for people: what was not in any is called by what it is.
[[nodiscard]] std::string shown_section(std::string_view name);
[[nodiscard]] std::string shown_component(std::string_view name);

/// A text on one line, in quotes and safe to print: control characters escaped (\n, \x1b), invalid
/// UTF-8 replaced, truncated to this many columns with an ellipsis.
[[nodiscard]] std::string quote(std::string_view text, std::size_t columns);

/// Truncates a printable text to this many columns, with an ellipsis if anything is cut.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

/// Wraps a text into lines of at most this many columns, between words, and not before "%" or "·".
/// A longer word gets its own line. Each line but the first begins with `indent` blanks, which are
/// included in the width.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t columns, std::size_t indent);

/// The width of a UTF-8 text on a terminal, in columns.
[[nodiscard]] std::size_t display_width(std::string_view text);

}  // namespace enprof
