// The URL of a server.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace enprof {

/// The parts of http://HOST:PORT/BASE that a client of `enprof serve` needs.
struct ServerUrl {
  std::string host = "127.0.0.1";  ///< without the brackets of IPv6
  std::uint16_t port = 8000;
  std::string base;   ///< path prefix of a proxy: "/enprof", or empty
  std::string token;  ///< from ?token=, as `enprof serve` prints it; may be empty

  /// HOST:PORT, as in a Host header.
  [[nodiscard]] std::string authority() const;
  /// http://HOST:PORT/BASE, without the token.
  [[nodiscard]] std::string text() const;
  /// http://HOST:PORT/BASE/?token=TOKEN, percent-encoded; without a token, no query.
  [[nodiscard]] std::string text_with_token() const;

  friend bool operator==(const ServerUrl&, const ServerUrl&) = default;
};

/// Encodes a text as a value in a URL's query.
[[nodiscard]] std::string as_query_value(std::string_view text);

/// Parses http://HOST[:PORT][/BASE][?token=T], the same with ws://, or only HOST[:PORT]. The
/// default port is 80, as in any URL; without a scheme it is 8000, as for `enprof serve`. Errors:
/// unsupported (https), invalid_argument.
[[nodiscard]] Result<ServerUrl> parse_server_url(std::string_view text);

}  // namespace enprof
