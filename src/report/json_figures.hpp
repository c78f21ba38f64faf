// Figures and optional values as JSON: keys carry their units, absent values are null.
#pragma once

#include "enprof/model/operation.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

using Json = nlohmann::ordered_json;

template <class T>
[[nodiscard]] Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
[[nodiscard]] inline Json mj(const std::optional<Joules>& energy) {
  return energy ? Json(to_mj(*energy)) : Json(nullptr);
}
[[nodiscard]] inline Json mw(const std::optional<Watts>& power) {
  return power ? Json(to_mw(*power)) : Json(nullptr);
}
[[nodiscard]] inline Json ms(const std::optional<Nanoseconds>& duration) {
  return duration ? Json(to_ms(*duration)) : Json(nullptr);
}
[[nodiscard]] inline Json text(std::string_view value) {
  return value.empty() ? Json(nullptr) : Json(value);
}

/// Null outside the layers.
[[nodiscard]] inline Json layer_json(std::int32_t layer) {
  return layer == OperationInfo::kNoLayer ? Json(nullptr) : Json(layer);
}

/// Like those of base/json_text.hpp, also for what converts to JSON: a text, or a list in braces.
[[nodiscard]] std::string indented(const Json& json);
[[nodiscard]] std::string on_one_line(const Json& json);
/// Appends a value at this nesting depth of an indented document.
void append_indented(std::string& text, const Json& json, std::size_t depth);

}  // namespace enprof
