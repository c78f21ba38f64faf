// Enums that stand in JSON by their names.
#pragma once

#include "base/json_node.hpp"
#include "model/enum_from_name.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

namespace enprof {

/// The value that a text names, one of `known`. Throws JsonError, which lists them.
template <class Enum>
[[nodiscard]] Enum enum_from_json(const JsonNode& node, std::initializer_list<Enum> known) {
  const std::string name = node.text();
  const auto* const found =
      std::ranges::find(known, name, [](Enum value) { return to_string(value); });
  if (found != known.end()) {
    return *found;
  }
  std::string names;
  for (const Enum value : known) {
    names += (names.empty() ? "" : ", ") + std::string{to_string(value)};
  }
  node.is_not("one of " + names);
}

/// The same for all values of an enum that count up from zero without gaps.
template <class Enum>
[[nodiscard]] Enum enum_from_json(const JsonNode& node) {
  if (const auto value = enum_from_name<Enum>(node.text())) {
    return *value;
  }
  // Beyond the last value there is "unknown", or the last name again.
  std::string names;
  std::string_view last = "unknown";
  constexpr int kMost = 32;  // more than any of them has
  for (int value = 0; value < kMost; ++value) {
    const std::string_view name = to_string(static_cast<Enum>(value));
    if (name == "unknown" || name == last) {
      break;
    }
    names += (names.empty() ? "" : ", ") + std::string{name};
    last = name;
  }
  node.is_not("one of " + names);
}

}  // namespace enprof
