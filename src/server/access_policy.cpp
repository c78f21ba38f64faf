#include "server/access_policy.hpp"

#include "server/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <exception>
#include <optional>
#include <random>
#include <utility>

namespace enprof {
namespace {

constexpr std::uint16_t kHttpPort = 80;

struct Authority {
  std::string host;  // lower case, without the brackets of IPv6
  std::uint16_t port = kHttpPort;
};

std::optional<Authority> parse_authority(std::string_view text) {
  Authority result;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    result.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    result.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (!rest.empty()) {
    const auto [end, error] =
        std::from_chars(rest.data() + 1, rest.data() + rest.size(), result.port);
    if (rest.front() != ':' || error != std::errc{} || end != rest.data() + rest.size()) {
      return std::nullopt;
    }
  }
  std::ranges::transform(result.host, result.host.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  if (result.host.ends_with('.')) {
    result.host.pop_back();
  }
  return result.host.empty() ? std::nullopt : std::optional{result};
}

bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t index = 0; index < std::min(a.size(), b.size()); ++index) {
    difference |= static_cast<unsigned char>(a[index]) ^ static_cast<unsigned char>(b[index]);
  }
  return difference == 0;
}

}  // namespace

AccessPolicy::AccessPolicy(std::string host, std::uint16_t port, std::string token)
    : host_(std::move(host)), port_(port), token_(std::move(token)) {}

std::optional<HttpResponse> AccessPolicy::refusal(const HttpRequest& request) const {
  const std::string_view host = request.header("host");
  if (!is_ours(host)) {
    return problem({ErrorCode::permission_denied,
                    fmt::format("The Host header '{}' does not name this server", host),
                    fmt::format("Use http://{}:{}/", host_, port_)});
  }
  if (const std::string_view origin = request.header("origin"); !origin.empty()) {
    constexpr std::string_view kScheme = "http://";
    if (!origin.starts_with(kScheme) || !is_ours(origin.substr(kScheme.size()))) {
      return problem({ErrorCode::permission_denied,
                      fmt::format("Pages of {} may not use this server", origin),
                      "Open the server's own page."});
    }
  }
  if (!is_page(request) && !has_token(request)) {
    HttpResponse answer =
        problem(401, {ErrorCode::permission_denied, "The token is missing or wrong",
                      "Send it as 'Authorization: Bearer TOKEN', or as ?token=TOKEN; enprof serve "
                      "printed it when it started."});
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  return std::nullopt;
}

bool AccessPolicy::is_ours(std::string_view text) const {
  const auto authority = parse_authority(text);
  if (!authority || authority->port != port_) {
    return false;
  }
  if (is_loopback(authority->host)) {
    return true;  // whoever can send this sits at the machine, or has the token
  }
  if (is_loopback(host_)) {
    return false;
  }
  // Names that a machine on a network goes by are many; with a token, which no foreign page knows,
  // the name matters no more.
  return authority->host == host_ || !token_.empty();
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
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view given = request.header("authorization");
  if (given.starts_with(kBearer)) {
    given.remove_prefix(kBearer.size());
  } else {
    given = request.parameter("token");
  }
  return same_secret(given, token_);
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
    return fail(ErrorCode::unavailable, fmt::format("No token can be made: {}", error.what()),
                "Pass one yourself: --token TOKEN");
  }
}

}  // namespace enprof
