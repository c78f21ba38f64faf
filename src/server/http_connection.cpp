#include "server/http_connection.hpp"

#include "base/log.hpp"
#include "server/coroutine.hpp"
#include "server/http_request.hpp"
#include "server/problem.hpp"
#include "server/router.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr Logger kLog{"server"};
/// How long a refused client may go on sending.
constexpr std::chrono::seconds kLinger{1};
constexpr std::array<std::string_view, 1> kWatchParameters{"since"};

}  // namespace

HttpConnection::HttpConnection(Tcp::socket socket, HttpService& service)
    : service_(service), stream_(std::move(socket)) {}

asio::awaitable<void> HttpConnection::run() {
  error_code ignored;
  // Without it, it is slower and otherwise as good.
  static_cast<void>(stream_.socket().set_option(Tcp::no_delay(true), ignored));
  const auto peer = stream_.socket().remote_endpoint(ignored);
  const std::string client = ignored ? std::string{} : peer.address().to_string();
  beast::flat_buffer buffer;
  while (!service_.stopping) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(service_.limits.body_bytes);
    parser.header_limit(service_.limits.header_bytes);
    stream_.expires_after(service_.limits.idle);
    error_code error;
    is_asking_ = true;
    co_await http::async_read_header(stream_, buffer, parser, no_throw(error));
    if (!error && !parser.is_done()) {
      if (expects_continue(parser.get()) && !co_await invite_body(parser.get())) {
        break;
      }
      co_await http::async_read(stream_, buffer, parser, no_throw(error));
    }
    is_asking_ = false;
    if (error) {
      co_await refuse(error);
      break;
    }
    WireRequest request = parser.release();
    if (const auto wait = service_.limiter.take(client)) {
      if (!co_await send(too_often(*wait, request))) {
        break;
      }
      continue;
    }
    if (websocket::is_upgrade(request)) {
      co_await watch(std::move(request));
      co_return;
    }
    HttpRequest asked = plain(request);
    HttpResponse answered = co_await answer(asked);
    const bool goes_on = answered.file ? co_await send_file(std::move(answered), request)
                                       : co_await send(wire(std::move(answered), request));
    if (!goes_on) {
      break;
    }
  }
  static_cast<void>(stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored));
}

asio::awaitable<bool> HttpConnection::invite_body(const WireRequest& head) {
  // Who may not would otherwise send it all to be told so.
  if (auto refusal = service_.policy.refusal(plain(head))) {
    WireResponse response = wire(*std::move(refusal), head);
    response.keep_alive(false);  // whether the body comes all the same is not known
    co_await send(std::move(response));
    co_return false;
  }
  constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code error;
  co_await asio::async_write(stream_, asio::buffer(kGoOn), no_throw(error));
  co_return !error;
}

void HttpConnection::stop() {
  if (is_asking_) {
    stream_.cancel();
  }
}

void HttpConnection::turn_away(Tcp::socket& socket, std::size_t connections) {
  HttpResponse response =
      problem(503, {ErrorCode::busy, fmt::format("There are {} connections already", connections),
                    "Close some of them, and try again."});
  response.headers.emplace_back("Retry-After", "1");
  WireResponse message = wire(std::move(response), unread_request());
  error_code ignored;  // it is closed in any case
  static_cast<void>(socket.non_blocking(true, ignored));
  http::write(socket, message, ignored);
  static_cast<void>(socket.shutdown(Tcp::socket::shutdown_send, ignored));
}

WireResponse HttpConnection::too_often(Nanoseconds wait, const WireRequest& request) const {
  HttpResponse response = problem(
      429, {ErrorCode::busy,
            fmt::format("More than {:g} requests a second", service_.limits.requests_per_second),
            "Wait as long as Retry-After says; to follow a run, watch /ws/profiling."});
  response.headers.emplace_back(
      "Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
  return wire(std::move(response), request);
}

asio::awaitable<bool> HttpConnection::send(WireResponse response) {
  http::response_serializer<http::string_body> serializer{response};
  co_return co_await write(serializer) && !response.need_eof();
}

asio::awaitable<bool> HttpConnection::send_file(HttpResponse answered, const WireRequest& request) {
  error_code error;
  WireFile response = wire_file(std::move(answered), request, error);
  if (error) {
    co_return false;
  }
  http::response_serializer<http::file_body> serializer{response};
  serializer.split(request.method() == http::verb::head);
  co_return co_await write(serializer) && !response.need_eof();
}

template <class Serializer>
asio::awaitable<bool> HttpConnection::write(Serializer& serializer) {
  error_code error;
  const auto is_over = [&] {
    return serializer.is_done() || (serializer.split() && serializer.is_header_done());
  };
  while (!error && !is_over()) {
    stream_.expires_after(
        service_.limits.idle);  // of each piece: all of a large one may take longer
    co_await http::async_write_some(stream_, serializer, no_throw(error));
  }
  co_return !error;
}

asio::awaitable<void> HttpConnection::refuse(error_code reason) {
  HttpResponse response;
  if (reason == http::error::body_limit) {
    response = problem(413, {ErrorCode::too_large, "The request's body is too large", ""});
  } else if (reason == http::error::header_limit || reason == http::error::buffer_overflow) {
    response = problem(431, {ErrorCode::too_large, "The request's headers are too large", ""});
  } else if (reason.category() == http::make_error_code(http::error::bad_method).category() &&
             reason != http::error::end_of_stream && reason != http::error::partial_message) {
    response = problem(400, {ErrorCode::malformed, "This is not HTTP: " + reason.message(), ""});
  } else {
    co_return;  // it went away, or said nothing in time
  }
  WireResponse message = wire(std::move(response), unread_request());
  error_code ignored;  // it was going to be closed in any case
  stream_.expires_after(service_.limits.stalled);
  co_await http::async_write(stream_, message, no_throw(ignored));
  // To close amid what is still being sent would take the answer from the client, too.
  static_cast<void>(stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored));
  stream_.expires_after(kLinger);
  std::array<char, 16'384> unread{};
  while (!ignored) {
    co_await stream_.async_read_some(asio::buffer(unread), no_throw(ignored));
  }
}

asio::awaitable<HttpResponse> HttpConnection::answer(const HttpRequest& request) {
  if (auto refusal = service_.policy.refusal(request)) {
    co_return *std::move(refusal);
  }
  HttpResponse response;
  // What is passed to co_spawn has a name: g++ 12 destroys some temporaries of a co_await twice
  // (gcc.gnu.org/PR99576).
  const auto work = [this, &request, &response]() -> asio::awaitable<void> {
    response = handle(request);
    co_return;
  };
  co_await asio::co_spawn(service_.workers, work, asio::use_awaitable);
  co_return response;
}

HttpResponse HttpConnection::handle(const HttpRequest& request) const {
  try {
    return service_.handler(request);
  } catch (const std::exception& error) {
    kLog.error("{} {} failed: {}", request.method, request.path, error.what());
  }
  return problem(500,
                 {ErrorCode::internal, "The server failed at this request", "Its log says why."});
}

asio::awaitable<void> HttpConnection::watch(WireRequest request) {
  LiveWatchers& watchers = service_.watchers;
  const HttpRequest asked = plain(request);
  HttpResponse refusal;
  const std::uint64_t last = watchers.hub().last();
  std::optional<std::uint64_t> since;
  if (auto refused = service_.policy.refusal(asked)) {
    refusal = *std::move(refused);
  } else if (asked.path != service_.live_path) {
    refusal = problem(404, {ErrorCode::not_found, "There is no WebSocket at " + asked.path,
                            "Connect to " + service_.live_path});
  } else if (const auto wrong = wrong_parameter(asked, kWatchParameters)) {
    refusal = problem(*wrong);
  } else if (watchers.is_full()) {
    refusal = problem(
        503, {ErrorCode::busy, fmt::format("There are {} watchers already", watchers.count()),
              "Close one of them, and try again."});
  } else if (since = parse_since(asked.parameter("since"), last); !since) {
    refusal = problem(
        400, {ErrorCode::invalid_argument,
              "since is not the number of an event: " + std::string(asked.parameter("since")),
              "Pass the seq of the last event that was seen, or leave it out."});
  }
  if (!since) {
    WireResponse response = wire(std::move(refusal), request);
    error_code ignored;  // it was going to be closed in any case
    co_await http::async_write(stream_, response, no_throw(ignored));
    co_return;
  }
  co_await watchers.watch(std::move(stream_), std::move(request), *since, last);
}

}  // namespace enprof
