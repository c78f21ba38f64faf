// Reads what a request line says.
#pragma once

#include "server/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Path and query of a request's target, percent-decoded; a target that is no URL has an empty
/// path, which no route matches. A whole URL names the host, too: it stands in the headers then,
/// and counts instead of the Host header (RFC 9112, 3.2.2).
[[nodiscard]] HttpRequest parse_target(std::string_view target);
/// ?since=: the number of an event; `last` where it is absent. Empty where it is no number.
[[nodiscard]] std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t last);

}  // namespace enprof
