// Where a server is.
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
  std::string base;   ///< what a proxy puts before our paths: "/enprof", or empty
  std::string token;  ///< of ?token=, as `enprof serve` prints it; may be empty

  /// HOST:PORT, as the Host header has it.
  [[nodiscard]] std::string authority() const;
  /// http://HOST:PORT/BASE, without the token.
  [[nodiscard]] std::string text() const;
  /// http://HOST:PORT/BASE/?token=TOKEN, percent-encoded; without a token, no query.
  [[nodiscard]] std::string text_with_token() const;

  friend bool operator==(const ServerUrl&, const ServerUrl&) = default;
};

/// A text as a value in a URL's query.
[[nodiscard]] std::string as_query_value(std::string_view text);

/// Reads http://HOST[:PORT][/BASE][?token=T], the same with ws://, or HOST[:PORT] alone. Without a
/// port it is 80, as everywhere; where the scheme is left out too, 8000, as of `enprof serve`.
/// Errors: unsupported (https), invalid_argument.
[[nodiscard]] Result<ServerUrl> parse_server_url(std::string_view text);

}  // namespace enprof
