// The options of commands that serve: where they listen, and who may connect.
#pragma once

#include "enprof/base/error.hpp"

#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/http_server.hpp"
#include "server/server_metrics.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class ServerOptions {
 public:
  /// --host, --port, --token and --allow-host, of a command that does nothing but serve.
  void declare(CLI::App& app);
  /// --serve [HOST:]PORT, --token and --allow-host, in the group "Server": of a command that also
  /// serves, if it is asked to.
  void declare_wish(CLI::App& app);

  [[nodiscard]] bool are_wanted() const { return !wish_.empty(); }
  /// Reads what was given, and makes a token if one is needed and none was given. Call it before
  /// open(). Errors: invalid_argument (it cannot mean anything); unavailable.
  [[nodiscard]] Result<void> prepare();
  /// Listens. Errors: those of HttpServer::open.
  [[nodiscard]] Result<std::unique_ptr<HttpServer>> open(HttpServer::Handler handler,
                                                         EventHub& hub) const;
  /// Prints the URLs of the server, with the token.
  void print_addresses(std::uint16_t port) const;

 private:
  void declare_access(CLI::App& app, const std::string& group);

  std::string host_ = "127.0.0.1";
  std::uint16_t port_ = 8000;
  std::string wish_;  // of --serve; empty: not given
  std::string token_;
  std::vector<std::string> allowed_names_;
  std::vector<AccessPolicy::Host> allowed_hosts_;
};

/// Where to listen.
struct ListenAddress {
  std::string host;  ///< without the brackets of IPv6
  std::uint16_t port = 0;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};
/// Parses PORT, HOST:PORT or [HOST]:PORT; without a host it is 127.0.0.1. Errors: invalid_argument.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

/// What metrics tell of a server's live stream.
[[nodiscard]] ServerMetrics::Gauges stream_gauges(const HttpServer& server);

}  // namespace enprof
