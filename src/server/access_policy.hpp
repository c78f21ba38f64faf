// Decides who may use the server.
#pragma once

#include "enprof/base/error.hpp"

#include "server/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The server runs models and shows prompts. Neither a web page that the user happens to visit nor
/// a stranger on the network may use it.
///
/// - With a token, every request must carry it, except requests for the page's files, which are not
///   secret and cannot carry it: "Authorization: Bearer TOKEN", or ?token=TOKEN, as browsers cannot
///   set headers on a WebSocket. It is compared in constant time. A client with the token may use
///   any host name and port for this server: tunnels, containers and proxies have their own.
/// - Without a token, Host must name this machine or an allowed host. Otherwise a foreign name that
///   resolves to 127.0.0.1 (DNS rebinding) would make the foreign page same-origin with us. The
///   port in Host may differ (a tunnel's); a foreign page does not have such a name.
/// - Origin, which browsers send with every WebSocket and every request that changes something,
///   must have the requested host. Requests without Origin do not come from a browser. With a
///   token, scheme and port of the Origin are not checked, as a proxy may change them; without one,
///   the port must match, as another port of localhost may be another user's.
///
/// X-Forwarded-Host and Forwarded are ignored: any client can send them.
///
/// Threads: any, const.
class AccessPolicy {
 public:
  /// A host name of this server. With a port, only for that port.
  struct Host {
    std::string name;  ///< lower case, without the brackets of IPv6
    std::optional<std::uint16_t> port;

    friend bool operator==(const Host&, const Host&) = default;
  };

  /// `host` and `port` as the server listens; `token` may be empty if the host is loopback.
  AccessPolicy(std::string host, std::uint16_t port, std::string token,
               std::vector<Host> allowed = {});

  /// The answer to a request that is not allowed: 403 to a foreign host or page, 401 without the
  /// token. Empty if the request is allowed.
  [[nodiscard]] std::optional<HttpResponse> refusal(const HttpRequest& request) const;

  /// Parses NAME, NAME:PORT or an address, as in a Host header. Errors: invalid_argument.
  [[nodiscard]] static Result<Host> parse_host(std::string_view text);
  /// 127.0.0.0/8, ::1 and localhost: only this machine can connect.
  [[nodiscard]] static bool is_loopback(std::string_view host);
  /// 128 random bits in hexadecimal. Errors: unavailable, if the system has no random source.
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
