// Conversion to and from Boost.Beast's messages.
#pragma once

#include "server/http_message.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <string>

namespace enprof {

using WireRequest = boost::beast::http::request<boost::beast::http::string_body>;
using WireResponse = boost::beast::http::response<boost::beast::http::string_body>;

[[nodiscard]] HttpRequest plain(const WireRequest& request);
/// Whether the client waits for "100 Continue" before it sends the body (RFC 9110, 10.1.1).
[[nodiscard]] bool expects_continue(const WireRequest& request);
/// A placeholder for a request that could not be read: its connection is closed after the answer.
[[nodiscard]] WireRequest unread_request();
/// Adds the headers that all answers have. HEAD gets the length, but no body.
[[nodiscard]] WireResponse wire(HttpResponse&& plain_response, const WireRequest& request);
/// The status line and headers as text.
[[nodiscard]] std::string head_text(const WireResponse& response);
/// The same for an answer whose body is made while it is sent: in chunks, or until the connection
/// closes if the client does not know chunks.
[[nodiscard]] std::string stream_head_text(const HttpResponse& plain_response,
                                           const WireRequest& request);

}  // namespace enprof
