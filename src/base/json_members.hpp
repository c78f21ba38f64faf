// Members of JSON from a program that may be of another version: what has another type than it
// should counts as absent. Where that is an error instead, see json_node.hpp.
#pragma once

#include "base/json_text.hpp"

#include <optional>
#include <string>

namespace enprof {

/// A text; empty where it is absent.
template <JsonValue Json>
[[nodiscard]] std::string word_or_empty(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->template get<std::string>()
                                                     : std::string{};
}

template <JsonValue Json>
[[nodiscard]] std::optional<double> number_or_absent(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number() ? std::optional{found->template get<double>()}
                                                     : std::nullopt;
}

/// A list; empty where it is absent.
template <JsonValue Json>
[[nodiscard]] const Json& list_or_empty(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : kNone;
}

}  // namespace enprof
