#include "cli/option_values.hpp"

#include "base/nearest_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

/// With thousands separators: "16,777,216".
std::string with_commas(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t place = digits.size(); place > first + 3;) {
    place -= 3;
    digits.insert(place, ",");
  }
  return digits;
}

std::string written(double value) {
  const bool is_whole = value == std::floor(value) && std::abs(value) < 1e15;
  return is_whole ? with_commas(static_cast<std::int64_t>(value)) : fmt::format("{:g}", value);
}

/// The whole text as a number; empty if it is not one.
template <class Number>
std::optional<Number> parse(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

bool is_digits(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

CLI::Validator number_within(std::string range, const std::function<bool(double)>& fits) {
  return CLI::Validator(
      [range, fits](std::string& text) -> std::string {
        const auto value = parse<double>(text);
        if (!value || !std::isfinite(*value)) {
          return fmt::format("\"{}\" is not a number; it may be {}", text, range);
        }
        if (!fits(*value)) {
          return fmt::format("{} is out of range: it may be {}", text, range);
        }
        text = fmt::format("{}", *value);  // for CLI11, whose own parser depends on the locale
        return {};
      },
      range);
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const std::string range = fmt::format("{} to {}", with_commas(least), with_commas(most));
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        const auto value = parse<std::int64_t>(text);
        if (!value && !is_digits(text)) {
          return fmt::format("\"{}\" is not a whole number; it may be {}", text, range);
        }
        if (!value || *value < least || *value > most) {
          return fmt::format("{} is out of range: it may be {}", text, range);
        }
        text = fmt::format("{}", *value);  // for CLI11, which takes 010 for 8
        return {};
      },
      range);
}

CLI::Validator number(double least, std::optional<double> most) {
  return number_within(most ? fmt::format("{} to {}", written(least), written(*most))
                            : fmt::format("{} or more", written(least)),
                       [=](double value) { return value >= least && (!most || value <= *most); });
}

CLI::Validator number_above(double bound, double most) {
  return number_within(fmt::format("above {}, up to {}", written(bound), written(most)),
                       [=](double value) { return value > bound && value <= most; });
}

CLI::Validator percentage(double most) {
  const CLI::Validator within = number(0.0, most);
  return CLI::Validator(
      [within](std::string& text) {
        while (text.ends_with('%') || text.ends_with(' ')) {
          text.pop_back();
        }
        return within(text);
      },
      fmt::format("0 to {} %", written(most)));
}

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string list = listed(words);
  return CLI::Validator(
      [words = std::move(words), list](std::string& text) -> std::string {
        const std::string lower = CLI::detail::to_lower(text);
        for (const std::string& word : words) {
          if (CLI::detail::to_lower(word) == lower) {
            text = word;
            return {};
          }
        }
        return fmt::format("there is no \"{}\"{}; it may be {}", text, did_you_mean(text, words),
                           list);
      },
      list);
}

CLI::Validator not_empty() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        return text.empty() ? "its value is empty" : std::string{};
      },
      "");
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto meant = nearest_name(name, views);
  return meant ? fmt::format("; did you mean {}?", *meant) : std::string{};
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const bool is_last = index + 1 == words.size();
    text += (index == 0 ? "" : is_last ? " or " : ", ") + words[index];
  }
  return text;
}

}  // namespace enprof
