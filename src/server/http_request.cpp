#include "server/http_request.hpp"

#include "base/lower_case.hpp"

#include <boost/url/error.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <charconv>
#include <system_error>

namespace enprof {

namespace {

/// Clients send a path, or an absolute URL if they take us for a proxy; servers must accept both
/// (RFC 9112, 3.2.2).
boost::system::result<boost::urls::url_view> parse_form(std::string_view target) {
  const boost::core::string_view text{target.data(), target.size()};
  if (target.starts_with('/')) {
    return boost::urls::parse_origin_form(text);
  }
  auto url = boost::urls::parse_absolute_uri(text);
  if (url) {
    const std::string scheme = lower_case({url->scheme().data(), url->scheme().size()});
    const bool is_ours = scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss";
    if (!is_ours || url->host().empty()) {
      return boost::urls::error::not_a_base;
    }
  }
  return url;
}

}  // namespace

HttpRequest parse_target(std::string_view target) {
  HttpRequest result;
  const auto url = parse_form(target);
  if (!url) {
    return result;
  }
  if (url->has_authority()) {
    result.headers["host"] = std::string(url->encoded_host_and_port());
  }
  result.path = url->path();
  if (result.path.empty()) {
    result.path = "/";
  }
  for (const auto& parameter : url->params()) {
    const auto [entry, is_new] =
        result.query.insert_or_assign(std::string(parameter.key), std::string(parameter.value));
    if (!is_new) {
      result.repeated.insert(entry->first);
    }
  }
  return result;
}

std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t last) {
  if (text.empty()) {
    return last;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{number}
                                                                  : std::nullopt;
}

}  // namespace enprof
