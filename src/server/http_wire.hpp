// Messages as Boost.Beast reads and writes them.
#pragma once

#include "server/http_message.hpp"

#include <boost/beast/http/file_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>

namespace enprof {

using WireRequest = boost::beast::http::request<boost::beast::http::string_body>;
using WireResponse = boost::beast::http::response<boost::beast::http::string_body>;
using WireFile = boost::beast::http::response<boost::beast::http::file_body>;

[[nodiscard]] HttpRequest plain(const WireRequest& request);
/// Whether the client waits for "100 Continue" before it sends the body (RFC 9110, 10.1.1).
[[nodiscard]] bool expects_continue(const WireRequest& request);
/// Stands for a request that was not read: its connection is closed after the answer.
[[nodiscard]] WireRequest unread_request();
/// With the headers that all answers carry. To HEAD there is the length, and no body.
[[nodiscard]] WireResponse wire(HttpResponse&& plain_response, const WireRequest& request);
/// Of a response with a file. `error` is set where the file's length cannot be told.
[[nodiscard]] WireFile wire_file(HttpResponse&& plain_response, const WireRequest& request,
                                 boost::system::error_code& error);

}  // namespace enprof
