#include "report/format.hpp"

#include "base/printable.hpp"
#include "base/utf8.hpp"
#include "report/character_columns.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace enprof {
namespace {

/// Fixed-point text with `digits` significant digits.
std::string significant(double value, int digits) {
  const double magnitude = std::abs(value);
  int whole = 1;
  for (double bound = 10.0; magnitude >= bound && whole < digits; bound *= 10.0) {
    ++whole;
  }
  return fmt::format("{:.{}f}", value, digits - whole);
}

}  // namespace

std::string format_si(double value, std::string_view unit, int digits) {
  constexpr std::array<std::string_view, 11> kPrefixes{"p", "n", "µ", "m", "", "k",
                                                       "M", "G", "T", "P", "E"};
  constexpr int kNone = 4;
  if (!std::isfinite(value)) {
    return std::string{kAbsent};
  }
  if (value == 0.0) {
    return fmt::format("0 {}", unit);
  }
  int prefix = kNone;
  // 999.95 with four digits would round to 1000: use the next prefix.
  const double limit = 1000.0 - 0.5 * std::pow(10.0, 3 - digits);
  while (std::abs(value) >= limit && prefix + 1 < static_cast<int>(kPrefixes.size())) {
    value /= 1000.0;
    ++prefix;
  }
  while (std::abs(value) < limit / 1000.0 && prefix > 0) {
    value *= 1000.0;
    --prefix;
  }
  return fmt::format("{} {}{}", significant(value, digits),
                     kPrefixes[static_cast<std::size_t>(prefix)], unit);
}

std::string format_energy(Joules energy) { return format_si(energy.value(), "J"); }
std::string format_energy(const std::optional<Joules>& energy) {
  return energy ? format_energy(*energy) : std::string{kAbsent};
}
std::string format_power(Watts power) { return format_si(power.value(), "W"); }
std::string format_power(const std::optional<Watts>& power) {
  return power ? format_power(*power) : std::string{kAbsent};
}

std::string format_duration(Nanoseconds duration) {
  const double value = seconds(duration);
  if (value < 100.0) {
    return format_si(value, "s");
  }
  const auto whole = std::llround(value);
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string shown_section(std::string_view name) {
  return std::string{name == kSelfSection ? "outside sections" : name};
}

std::string shown_component(std::string_view name) {
  return std::string{name == kSelfComponent      ? "between operations"
                     : name == kUntimedComponent ? "passes without times"
                                                 : name};
}

std::string format_count(std::uint64_t count) {
  if (count < 1000) {
    return fmt::format("{}", count);
  }
  std::string text = format_si(static_cast<double>(count), "", 3);
  if (text.ends_with('G')) {
    text.back() = 'B';  // parameters are counted in billions ("B")
  }
  return text;
}

std::string format_percent(double ratio) { return fmt::format("{:.1f} %", 100.0 * ratio); }

std::string format_usd(double usd) {
  int decimals = 2;
  for (double bound = 0.1; std::abs(usd) < bound && usd != 0.0 && decimals < 12; bound /= 10.0) {
    ++decimals;
  }
  return fmt::format("{:.{}f} USD", usd, decimals);
}

std::string format_wall_time(WallTime time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)));
}

std::string utc_text(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)),
                     time.time_since_epoch().count() % 1000);
}

std::string quote(std::string_view text, std::size_t columns) {
  std::string result = "\"";
  std::size_t used = 2;  // the quotes
  while (!text.empty()) {
    const bool marked = text.front() == '"' || text.front() == '\\';
    const std::string piece = (marked ? "\\" : "") + pop_printable(text);
    const std::size_t width = display_width(piece);
    if (used + width > columns || (!text.empty() && used + width + 1 > columns)) {
      result += "…";
      break;
    }
    result += piece;
    used += width;
  }
  return result + "\"";
}

std::string cut(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) {
    return std::string{text};
  }
  std::string result;
  std::size_t used = 1;  // the ellipsis
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, first_code_point(text).length);
    used += display_width(piece);
    if (used > columns) {
      break;
    }
    result += piece;
    text.remove_prefix(piece.size());
  }
  return columns == 0 ? std::string{} : result + "…";
}

namespace {

/// The end of the first word, together with a unit or separator that must not begin a line.
std::size_t end_of_word(std::string_view text) {
  std::size_t end = text.find(' ');
  while (end != std::string_view::npos) {
    const std::size_t next = text.find(' ', end + 1);
    const std::string_view word = text.substr(end + 1, next - (end + 1));
    if (word != "%" && word != "·") {
      break;
    }
    end = next;
  }
  return end;
}

}  // namespace

std::string wrap(std::string_view text, std::size_t columns, std::size_t indent) {
  std::string result;
  std::size_t used = indent;  // the first line follows a label of this width
  while (!text.empty()) {
    const std::size_t end = end_of_word(text);
    const std::string_view word = text.substr(0, end);
    const std::size_t width = display_width(word);
    const bool first = used == indent;
    if (!first && used + 1 + width > columns) {
      result.erase(result.find_last_not_of(' ') + 1);  // no trailing blanks
      result += "\n" + std::string(indent, ' ');
      used = indent + width;
    } else {
      result += first ? "" : " ";
      used += width + (first ? 0 : 1);
    }
    result += word;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    width += point.valid ? columns_of(point.value) : 1;
    text.remove_prefix(point.length);
  }
  return width;
}

}  // namespace enprof
