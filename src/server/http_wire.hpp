// Messages as Boost.Beast reads and writes them.
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
/// Stands for a request that was not read: its connection is closed after the answer.
[[nodiscard]] WireRequest unread_request();
/// With the headers that all answers carry. To HEAD there is the length, and no body.
[[nodiscard]] WireResponse wire(HttpResponse&& plain_response, const WireRequest& request);
/// The response's first lines, as they are sent.
[[nodiscard]] std::string head_text(const WireResponse& response);
/// Those of an answer whose body is made while it is sent: in chunks, or, to a client that does not
/// know them, until the connection ends.
[[nodiscard]] std::string stream_head_text(const HttpResponse& plain_response,
                                           const WireRequest& request);

}  // namespace enprof
