// Reads JSON strictly: an object with a member twice is refused.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// An object that has a member twice is ambiguous.
struct ParsedJson {
  nlohmann::json json;                  ///< is_discarded() if the text is not JSON
  std::optional<std::string> repeated;  ///< the first member that an object has twice

  /// Throws JsonError if an object has a member twice.
  void refuse_repetition() const;
};

/// `must_parse`: throws nlohmann's exception if the text is not JSON.
[[nodiscard]] ParsedJson parse_json(std::string_view text, bool must_parse = false);

}  // namespace enprof
