// Who may talk to the server.
#pragma once

#include "enprof/base/error.hpp"

#include "server/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The server runs programs' models and shows prompts: a page that the user happens to look at must
/// not be able to use it, nor a stranger on the network.
///
/// - With a token, every request carries it, save those for the files of the page, which are the
///   same everywhere and cannot carry it: "Authorization: Bearer TOKEN", or, as browsers cannot
///   set headers on a WebSocket, ?token=TOKEN. It is compared in a time that does not depend on
///   where it differs. Who has it may use any name and port for this server: a tunnel, a
///   container's port and a proxy have their own.
/// - Without one Host must name this machine, or be among the hosts that were allowed: else a
///   foreign name that resolves to 127.0.0.1 (DNS rebinding) would make the foreign page
///   same-origin with us. Its port may be another one (a tunnel's); a foreign page has no such
///   name.
/// - Origin, which browsers send with every WebSocket and every request that changes something,
///   must be of the host that is asked: requests without one are not a browser's. With a token its
///   scheme and port are a proxy's affair; without one, the port must be the same, as another
///   port of localhost may be another user's.
///
/// What a proxy says of the host that it was asked for (X-Forwarded-Host, Forwarded) is not looked
/// at: anybody can say it.
///
/// Threads: any, const.
class AccessPolicy {
 public:
  /// A name of this server: of the port alone, where it has one.
  struct Host {
    std::string name;  ///< lower case, without the brackets of IPv6
    std::optional<std::uint16_t> port;

    friend bool operator==(const Host&, const Host&) = default;
  };

  /// `host` and `port` as the server listens; `token` may be empty where the host is loopback.
  AccessPolicy(std::string host, std::uint16_t port, std::string token,
               std::vector<Host> allowed = {});

  /// What to answer to who may not: 403 to a foreign name or page, 401 without the token; absent
  /// where the request is allowed.
  [[nodiscard]] std::optional<HttpResponse> refusal(const HttpRequest& request) const;

  /// Reads NAME, NAME:PORT or an address, as the Host header has it. Errors: invalid_argument.
  [[nodiscard]] static Result<Host> parse_host(std::string_view text);
  /// 127.0.0.0/8, ::1 and localhost: nobody else can connect.
  [[nodiscard]] static bool is_loopback(std::string_view host);
  /// 128 random bits in hexadecimal. Errors: unavailable, where the system has no randomness.
  [[nodiscard]] static Result<std::string> make_token();

 private:
  [[nodiscard]] bool is_allowed(const Host& host) const;
  [[nodiscard]] bool is_own_page(std::string_view origin, const std::optional<Host>& host) const;
  [[nodiscard]] static bool is_page(const HttpRequest& request);
  [[nodiscard]] bool has_token(const HttpRequest& request) const;

  std::string host_;
  std::uint16_t port_;
  std::string token_;
  std::vector<Host> allowed_;
};

}  // namespace enprof
