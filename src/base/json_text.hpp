// JSON as text, for terminals, files and clients.
#pragma once

#include "base/printable.hpp"

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>

namespace enprof {

/// A value of nlohmann's library, whichever of its types; it is known to who has one, not here.
template <class T>
concept JsonValue = requires(const T& json) {
  { json.dump(-1, ' ', false, T::error_handler_t::replace) } -> std::same_as<std::string>;
};

/// On one line; bytes that are not UTF-8 are replaced, and what may not be printed is escaped
/// (printable_json).
template <JsonValue Json>
[[nodiscard]] std::string on_one_line(const Json& json) {
  return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// The same, indented by two.
template <JsonValue Json>
[[nodiscard]] std::string indented(const Json& json) {
  return printable_json(json.dump(2, ' ', false, Json::error_handler_t::replace));
}

/// What an exception says, less the name that nlohmann's library puts before it:
/// "[json.exception.parse_error.101] parse error at …". Any other text stays as it is.
[[nodiscard]] inline std::string_view without_exception_name(std::string_view what) {
  if (what.starts_with("[json.exception")) {
    what.remove_prefix(std::min(what.size(), what.find("] ") + 2));
  }
  return what;
}

}  // namespace enprof
