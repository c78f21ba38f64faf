#include "server/http_wire.hpp"

#include "base/lower_case.hpp"
#include "server/http_request.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/http/write.hpp>

#include <locale>
#include <sstream>
#include <string>
#include <utility>

namespace enprof {
namespace {

namespace http = boost::beast::http;

/// Status and headers, without the body.
template <class Body>
http::response<Body> head_of(const HttpResponse& plain_response, const WireRequest& request) {
  http::response<Body> response{static_cast<http::status>(plain_response.status),
                                request.version()};
  response.set(http::field::server, "enprof");
  response.set(http::field::content_type, plain_response.content_type);
  // Our pages load nothing from elsewhere, and no other page may frame them.
  response.set("Content-Security-Policy",
               "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
               "object-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : plain_response.headers) {
    response.set(name, value);
  }
  response.keep_alive(request.keep_alive());
  return response;
}

template <class Fields>
std::string text_of(const http::header<false, Fields>& header) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << header;
  return std::move(text).str();
}

}  // namespace

HttpRequest plain(const WireRequest& request) {
  HttpRequest result = parse_target({request.target().data(), request.target().size()});
  result.method = std::string(request.method_string());
  const bool names_host = result.headers.contains("host");  // the target does, and takes precedence
  for (const auto& field : request) {
    const std::string name = lower_case({field.name_string().data(), field.name_string().size()});
    if (names_host && name == "host") {
      continue;
    }
    // If a header comes twice, neither value is the right one: join them (RFC 9110, 5.2).
    const auto [entry, is_new] = result.headers.try_emplace(name, std::string(field.value()));
    if (!is_new) {
      entry->second += ", " + std::string(field.value());
    }
  }
  result.body = request.body();
  return result;
}

bool expects_continue(const WireRequest& request) {
  return request.version() >= 11 &&
         boost::beast::iequals(request[http::field::expect], "100-continue");
}

WireRequest unread_request() {
  WireRequest nothing;
  nothing.version(11);
  nothing.keep_alive(false);
  return nothing;
}

WireResponse wire(HttpResponse&& plain_response, const WireRequest& request) {
  auto response = head_of<http::string_body>(plain_response, request);
  response.body() = std::move(plain_response.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) {
    response.body().clear();  // the length header stays
  }
  return response;
}

std::string head_text(const WireResponse& response) { return text_of(response.base()); }

std::string stream_head_text(const HttpResponse& plain_response, const WireRequest& request) {
  auto response = head_of<http::empty_body>(plain_response, request);
  if (request.version() >= 11) {
    response.chunked(true);
  } else {
    response.keep_alive(false);
  }
  return text_of(response.base());
}

}  // namespace enprof
