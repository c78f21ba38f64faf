// Parses the request line.
#pragma once

#include "server/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Path and query of a request's target, percent-decoded. A target that is not a URL has an empty
/// path, which matches no route. An absolute URL also names the host: it replaces the Host header
/// (RFC 9112, 3.2.2).
[[nodiscard]] HttpRequest parse_target(std::string_view target);
/// ?since=: the number of an event; `last` if absent. Empty if it is not a number.
[[nodiscard]] std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t last);

}  // namespace enprof
