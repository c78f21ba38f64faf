// What a client has sent, read strictly.
#pragma once

#include "enprof/base/error.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// A member that an object has twice makes the whole useless: which of both was meant is not known.
struct ParsedJson {
  nlohmann::json json;                  ///< is_discarded() where the text is no JSON
  std::optional<std::string> repeated;  ///< the first such member, of any object in it

  /// invalid_argument; empty where no member comes twice.
  [[nodiscard]] std::optional<Error> repetition() const;
};

[[nodiscard]] ParsedJson parse_json(std::string_view text);

}  // namespace enprof
