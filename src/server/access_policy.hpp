// Who may talk to the server.
#pragma once

#include "enprof/base/error.hpp"

#include "server/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// The server runs programs' models and shows prompts: a page that the user happens to look at must
/// not be able to use it, nor a stranger on the network.
///
/// - Host must name this server: else a foreign name that resolves to 127.0.0.1 (DNS rebinding)
///   would make the foreign page same-origin with us.
/// - Origin, which browsers send with every WebSocket and every request that changes something,
///   must be this server's own; requests without one are not a browser's.
/// - With a token, every request carries it, save those for the files of the page, which are the
///   same everywhere and cannot carry it: "Authorization: Bearer TOKEN", or, as browsers cannot
///   set headers on a WebSocket, ?token=TOKEN. It is compared in a time that does not depend on
///   where it differs.
///
/// Threads: any, const.
class AccessPolicy {
 public:
  /// `host` and `port` as the server listens; `token` may be empty where the host is loopback.
  AccessPolicy(std::string host, std::uint16_t port, std::string token);

  /// What to answer to who may not: 403 to a foreign name or page, 401 without the token; absent
  /// where the request is allowed.
  [[nodiscard]] std::optional<HttpResponse> refusal(const HttpRequest& request) const;

  /// 127.0.0.0/8, ::1 and localhost: nobody else can connect.
  [[nodiscard]] static bool is_loopback(std::string_view host);
  /// 128 random bits in hexadecimal. Errors: unavailable, where the system has no randomness.
  [[nodiscard]] static Result<std::string> make_token();

 private:
  [[nodiscard]] bool is_ours(std::string_view authority) const;
  [[nodiscard]] static bool is_page(const HttpRequest& request);
  [[nodiscard]] bool has_token(const HttpRequest& request) const;

  std::string host_;
  std::uint16_t port_;
  std::string token_;
};

}  // namespace enprof
