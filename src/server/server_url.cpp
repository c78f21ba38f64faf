#include "server/server_url.hpp"

#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace enprof {
namespace {

constexpr std::string_view kLivePath = "/ws/profiling";
constexpr std::uint16_t kHttpPort = 80;

std::unexpected<Error> no_url(std::string_view text) {
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is not the URL of an enprof server", text),
              "Pass the URL that `enprof serve` printed, such as http://127.0.0.1:8000/");
}

}  // namespace

std::string ServerUrl::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::string ServerUrl::text() const { return "http://" + authority() + base; }

std::string ServerUrl::text_with_token() const {
  return text() + "/" + (token.empty() ? std::string{} : "?token=" + as_query_value(token));
}

std::string as_query_value(std::string_view text) {
  return boost::urls::encode({text.data(), text.size()}, boost::urls::unreserved_chars);
}

Result<ServerUrl> parse_server_url(std::string_view text) {
  const bool has_scheme = text.find("://") != std::string_view::npos;
  const std::string whole = has_scheme ? std::string(text) : "http://" + std::string(text);
  const auto url = boost::urls::parse_uri(whole);
  if (!url || url->host().empty()) {
    return no_url(text);
  }
  const std::string scheme(url->scheme());
  if (scheme == "https" || scheme == "wss") {
    return fail(
        ErrorCode::unsupported,
        fmt::format("{}:// is not supported: enprof speaks plain HTTP", scheme),
        fmt::format("Use an encrypted tunnel: ssh -L {0}:localhost:{0} {1}, then: enprof "
                    "watch http://127.0.0.1:{0}",
                    url->has_port() ? std::string(url->port()) : "8000", std::string(url->host())));
  }
  if (scheme != "http" && scheme != "ws") {
    return no_url(text);
  }
  ServerUrl result;
  // The brackets of an IPv6 address belong to the URL, not to the address.
  result.host = url->host_type() == boost::urls::host_type::ipv6 ? std::string(url->host_address())
                                                                 : std::string(url->host());
  result.port = has_scheme ? kHttpPort : result.port;
  if (url->has_port()) {
    const std::string port(url->port());
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, result.port);
    if (error != std::errc{} || stop != end || result.port == 0) {
      return no_url(text);
    }
  }
  result.base = url->encoded_path();
  if (result.base.ends_with(kLivePath)) {
    result.base.resize(result.base.size() - kLivePath.size());
  }
  while (result.base.ends_with('/')) {
    result.base.pop_back();
  }
  for (const auto& parameter : url->params()) {
    if (parameter.key == "token") {
      result.token = parameter.value;
    }
  }
  return result;
}

}  // namespace enprof
