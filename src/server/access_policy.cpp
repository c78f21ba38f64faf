#include "server/access_policy.hpp"

#include "base/lower_case.hpp"
#include "server/problem.hpp"

#include <boost/url/authority_view.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>
#include <optional>
#include <random>
#include <utility>

namespace enprof {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

/// Whether the text consists of the characters of host names and IPv4 addresses.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
  });
}

/// Parses host[:port], as in Host and Origin headers. An authority with a user before the host is
/// refused.
std::optional<AccessPolicy::Host> parse_authority(std::string_view text) {
  const auto authority = boost::urls::parse_authority({text.data(), text.size()});
  if (!authority || authority->has_userinfo()) {
    return std::nullopt;
  }
  AccessPolicy::Host result;
  if (authority->host_type() == boost::urls::host_type::ipv6) {
    result.name = lower_case(std::string(authority->host_address()));
  } else {
    const std::string name(authority->encoded_host());
    if (!is_name(name)) {
      return std::nullopt;
    }
    result.name = lower_case(name);
    if (result.name.ends_with('.')) {
      result.name.pop_back();
    }
  }
  if (authority->has_port()) {
    const std::string port(authority->port());
    std::uint16_t number = 0;  // Boost's own number would wrap if too large
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size()) {
      return std::nullopt;
    }
    result.port = number;
  }
  return result.name.empty() ? std::nullopt : std::optional{result};
}

struct Origin {
  AccessPolicy::Host host;
  std::uint16_t port = 0;  // the scheme's default if Origin has none
};

std::optional<Origin> parse_origin(std::string_view text) {
  const auto of_scheme = [&](std::string_view scheme,
                             std::uint16_t usual) -> std::optional<Origin> {
    auto host = text.starts_with(scheme) ? parse_authority(text.substr(scheme.size()))
                                         : std::optional<AccessPolicy::Host>{};
    if (!host) {
      return std::nullopt;
    }
    const std::uint16_t port = host->port.value_or(usual);
    return Origin{.host = *std::move(host), .port = port};
  };
  auto plain = of_scheme("http://", kHttpPort);
  return plain ? plain : of_scheme("https://", kHttpsPort);
}

bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t index = 0; index < std::min(a.size(), b.size()); ++index) {
    difference |= static_cast<unsigned char>(a[index]) ^ static_cast<unsigned char>(b[index]);
  }
  return difference == 0;
}

}  // namespace

AccessPolicy::AccessPolicy(std::string host, std::uint16_t port, std::string token,
                           std::vector<Host> allowed)
    : host_(std::move(host)), port_(port), token_(std::move(token)), allowed_(std::move(allowed)) {}

std::optional<HttpResponse> AccessPolicy::refusal(const HttpRequest& request) const {
  const std::string_view name = request.header("host");
  const auto host = parse_authority(name);
  if (token_.empty()) {
    if (!host || !is_allowed(*host)) {
      return problem({ErrorCode::permission_denied,
                      fmt::format("The Host header '{}' does not name this server", name),
                      fmt::format("Use http://{}:{}/; or start the server with --allow-host NAME, "
                                  "or with a --token, which works under any name.",
                                  host_, port_)});
    }
  } else if (is_page(request)) {
    return std::nullopt;  // the page's files are the same for every client
  } else if (!has_token(request)) {
    HttpResponse answer =
        problem(401, {ErrorCode::permission_denied, "The token is missing or wrong",
                      "Send it as 'Authorization: Bearer TOKEN', or as ?token=TOKEN; enprof serve "
                      "printed it when it started."});
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  if (const std::string_view origin = request.header("origin");
      !origin.empty() && !is_own_page(origin, host)) {
    return problem(
        {ErrorCode::permission_denied, fmt::format("Pages of {} may not use this server", origin),
         "Open the server's own page. If you did, a proxy hides the host name that you asked for: "
         "make it pass on the Host header, or start the "
         "server with --allow-host NAME."});
  }
  return std::nullopt;
}

bool AccessPolicy::is_allowed(const Host& host) const {
  return is_loopback(host.name) || std::ranges::any_of(allowed_, [&](const Host& allowed) {
           return allowed.name == host.name && (!allowed.port || allowed.port == host.port);
         });
}

bool AccessPolicy::is_own_page(std::string_view text, const std::optional<Host>& host) const {
  const auto origin = parse_origin(text);
  if (!origin) {
    return false;
  }
  const bool was_allowed = std::ranges::any_of(allowed_, [&](const Host& allowed) {
    return allowed.name == origin->host.name && (!allowed.port || *allowed.port == origin->port);
  });
  if (was_allowed) {
    return true;
  }
  if (!host || origin->host.name != host->name) {
    return false;
  }
  return !token_.empty() || (host->port ? *host->port == origin->port
                                        : origin->port == kHttpPort || origin->port == kHttpsPort);
}

Result<AccessPolicy::Host> AccessPolicy::parse_host(std::string_view text) {
  auto host = parse_authority(text);
  if (!host) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a host name", text),
                "Pass it as in a URL, without the scheme: --allow-host box.lan, "
                "or box.lan:8443 for that port only.");
  }
  return *std::move(host);
}

bool AccessPolicy::is_page(const HttpRequest& request) {
  const std::string_view path = request.path;
  return (request.method == "GET" || request.method == "HEAD") &&
         (path == "/" || path == "/icon.svg" || path.starts_with("/assets/"));
}

bool AccessPolicy::has_token(const HttpRequest& request) const {
  if (token_.empty()) {
    return true;
  }
  const std::string_view given = request.header("authorization");
  const auto blank = given.find(' ');
  if (blank != std::string_view::npos && lower_case(given.substr(0, blank)) == "bearer") {
    return same_secret(without_blanks(given.substr(blank)), token_);
  }
  return same_secret(request.parameter("token"), token_);  // Authorization may be the proxy's own
}

bool AccessPolicy::is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") {
    return true;
  }
  // 127.0.0.1.example.com is a name, not an address.
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<std::string> AccessPolicy::make_token() {
  try {
    std::random_device random;
    std::string token;
    for (int word = 0; word < 4; ++word) {
      token += fmt::format("{:08x}", random() & 0xFFFFFFFFU);
    }
    return token;
  } catch (const std::exception& error) {
    return fail(ErrorCode::unavailable, fmt::format("Cannot create a token: {}", error.what()),
                "Pass one: --token TOKEN");
  }
}

}  // namespace enprof
