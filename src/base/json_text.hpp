// JSON as text, for terminals, files and clients.
#pragma once

#include "base/printable.hpp"

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>

namespace enprof {

/// A value of nlohmann's library, of any of its types. Callers include the library; we do not.
template <class T>
concept JsonValue = requires(const T& json) {
  { json.dump(-1, ' ', false, T::error_handler_t::replace) } -> std::same_as<std::string>;
};

/// On one line. Bytes that are not UTF-8 are replaced, and characters that may not be printed are
/// escaped (printable_json).
template <JsonValue Json>
[[nodiscard]] std::string on_one_line(const Json& json) {
  return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// The same, indented by two spaces.
template <JsonValue Json>
[[nodiscard]] std::string indented(const Json& json) {
  return printable_json(json.dump(2, ' ', false, Json::error_handler_t::replace));
}

/// The text of an exception without the name that nlohmann's library puts before it:
/// "[json.exception.parse_error.101] parse error at …". Any other text is returned unchanged.
[[nodiscard]] inline std::string_view without_exception_name(std::string_view what) {
  if (what.starts_with("[json.exception")) {
    what.remove_prefix(std::min(what.size(), what.find("] ") + 2));
  }
  return what;
}

}  // namespace enprof
