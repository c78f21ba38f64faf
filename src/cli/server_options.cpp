#include "cli/server_options.hpp"

#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "server/dashboard_assets.hpp"
#include "server/reachable_hosts.hpp"
#include "server/server_url.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace enprof {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto wrong = [&](std::string hint) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no place to listen at: it should be PORT or HOST:PORT", text),
                std::move(hint));
  };
  constexpr std::string_view kExamples = "For example 8000, 0 (any free port) or 0.0.0.0:8000.";
  const std::size_t colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
  std::string_view host = colon == std::string_view::npos ? "127.0.0.1" : text.substr(0, colon);
  ListenAddress address;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    return wrong(std::string{kExamples});
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong(fmt::format("An address of IPv6 needs brackets: [{}]:{}", host, digits));
  }
  if (host.empty()) {
    return wrong(std::string{kExamples});
  }
  address.host = host;
  return address;
}

ServerMetrics::Gauges stream_gauges(const HttpServer& server) {
  return {.stream_clients = server.watchers(),
          .dropped_clients = server.dropped_watchers(),
          .dropped_events = server.dropped_events()};
}

void ServerOptions::declare(CLI::App& app) {
  app.add_option("--host", host_, "Address to listen on")
      ->type_name("ADDRESS")
      ->check(not_empty())
      ->capture_default_str();
  app.add_option("--port", port_, "Port to listen on; 0: any free port")
      ->type_name("PORT")
      ->transform(whole_number(0, 65'535))
      ->capture_default_str();
  declare_access(app, "");
}

void ServerOptions::declare_wish(CLI::App& app) {
  app.add_option("--serve", wish_,
                 "Show it while it runs: the dashboard, the API and the live stream at this port "
                 "of this machine, or at another address; 0: any free port")
      ->type_name("[HOST:]PORT")
      ->check(not_empty())
      ->group("Server");
  declare_access(app, "Server");
}

/// An empty group: that of the command's other options.
void ServerOptions::declare_access(CLI::App& app, const std::string& group) {
  CLI::Option* const token =
      app.add_option(
             "--token", token_,
             "Token that clients must send; generated and printed if it is needed but not given. "
             "Other users of this machine can see options, so prefer the variable")
          ->type_name("TOKEN")
          ->check(not_empty())
          ->envname("ENPROF_TOKEN");
  CLI::Option* const allowed =
      app.add_option("--allow-host", allowed_names_,
                     "Another host name of this server, as clients of a tunnel or proxy use it; "
                     "may be repeated. With a token every name is allowed")
          ->type_name("NAME[:PORT]")
          ->allow_extra_args(false);
  if (!group.empty()) {
    token->group(group);
    allowed->group(group);
  }
}

Result<void> ServerOptions::prepare() {
  if (!wish_.empty()) {
    auto address = parse_listen_address(wish_);
    if (!address) {
      return std::unexpected(std::move(address.error()));
    }
    host_ = std::move(address->host);
    port_ = address->port;
  }
  allowed_hosts_.clear();
  for (const std::string& text : allowed_names_) {
    auto host = AccessPolicy::parse_host(text);
    if (!host) {
      return std::unexpected(std::move(host.error()));
    }
    allowed_hosts_.push_back(*std::move(host));
  }
  if (token_.empty() && !AccessPolicy::is_loopback(host_)) {
    auto made = AccessPolicy::make_token();
    if (!made) {
      return std::unexpected(std::move(made.error()));
    }
    token_ = *std::move(made);
  }
  return {};
}

Result<std::unique_ptr<HttpServer>> ServerOptions::open(HttpServer::Handler handler,
                                                        EventHub& hub) const {
  auto server = HttpServer::open(
      {.host = host_, .port = port_, .token = token_, .allowed_hosts = allowed_hosts_},
      std::move(handler), hub);
  if (!server && are_wanted()) {  // it names other options
    server.error().hint = server.error().code == ErrorCode::busy
                              ? "Another program has it; --serve 0 takes any port that is free."
                              : "Pass another address or port: --serve [HOST:]PORT";
  }
  return server;
}

void ServerOptions::print_addresses(std::uint16_t port) const {
  std::string label = dashboard_assets().empty() ? "serving without a dashboard on" : "serving";
  for (const std::string& host : reachable_hosts(host_, interface_addresses())) {
    const ServerUrl url{.host = host, .port = port, .token = token_};
    print_note(fmt::format("{} {}", label, url.text_with_token()));
    label = "    or";
  }
  if (is_every_address(host_)) {
    print_note(fmt::format("listening on every address of this machine: {}",
                           ServerUrl{.host = host_, .port = port}.text()));
  }
}

}  // namespace enprof
