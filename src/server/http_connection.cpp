#include "server/http_connection.hpp"

#include "base/counted.hpp"
#include "base/log.hpp"
#include "report/format.hpp"
#include "server/coroutine.hpp"
#include "server/http_request.hpp"
#include "server/problem.hpp"
#include "server/router.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <fmt/format.h>

#include <algorithm>
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
/// How long a refused client may continue to send.
constexpr std::chrono::seconds kLinger{1};
constexpr std::array<std::string_view, 1> kWatchParameters{"since"};
/// An answer up to this size is sent without an AnswerRoom place.
constexpr std::size_t kLarge = std::size_t{64} << 10U;

}  // namespace

HttpConnection::HttpConnection(Tcp::socket socket, HttpService& service)
    : service_(service), stream_(std::move(socket)) {}

asio::awaitable<void> HttpConnection::run() {
  error_code ignored;
  // Optional: without it, the connection is only slower.
  static_cast<void>(stream_.socket().set_option(Tcp::no_delay(true), ignored));
  const auto peer = stream_.socket().remote_endpoint(ignored);
  client_ = ignored ? std::string{} : peer.address().to_string();
  beast::flat_buffer buffer;
  while (!service_.stopping) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(service_.limits.body_bytes);
    parser.header_limit(service_.limits.header_bytes);
    stream_.expires_after(service_.limits.idle);
    error_code error;
    is_idle_ = true;
    co_await http::async_read_header(stream_, buffer, parser, no_throw(error));
    if (!error && !parser.is_done()) {
      if (expects_continue(parser.get()) && !co_await send_continue(parser.get())) {
        break;
      }
      co_await http::async_read(stream_, buffer, parser, no_throw(error));
    }
    is_idle_ = false;
    if (error) {
      co_await answer_unreadable(error);
      break;
    }
    WireRequest request = parser.release();
    if (const auto wait = service_.limiter.admit(client_)) {
      if (!co_await send(rate_limited(*wait, request))) {
        break;
      }
      continue;
    }
    if (websocket::is_upgrade(request)) {
      co_await watch(std::move(request));
      co_return;
    }
    HttpRequest asked = plain(request);
    HttpResponse answered = co_await run_handler(asked);
    if (!co_await reply(std::move(answered), request)) {
      break;
    }
  }
  static_cast<void>(stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored));
}

asio::awaitable<bool> HttpConnection::send_continue(const WireRequest& head) {
  // A client that is not allowed should learn so before it sends the whole body.
  if (auto refusal = service_.policy.refusal(plain(head))) {
    WireResponse response = wire(*std::move(refusal), head);
    response.keep_alive(false);  // the client may send the body anyway
    co_await send(std::move(response));
    co_return false;
  }
  constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code error;
  co_await asio::async_write(stream_, asio::buffer(kGoOn), no_throw(error));
  co_return !error;
}

void HttpConnection::stop() {
  if (is_idle_) {
    stream_.cancel();
  }
}

void HttpConnection::turn_away(Tcp::socket& socket, std::size_t connections) {
  HttpResponse response =
      problem(503, {ErrorCode::busy,
                    fmt::format("The limit of {} is reached", counted(connections, "connection")),
                    "Close some of them, and try again."});
  response.headers.emplace_back("Retry-After", "1");
  WireResponse message = wire(std::move(response), unread_request());
  error_code ignored;  // the connection is closed in any case
  static_cast<void>(socket.non_blocking(true, ignored));
  const std::string text = head_text(message) + message.body();
  asio::write(socket, asio::buffer(text), ignored);
  static_cast<void>(socket.shutdown(Tcp::socket::shutdown_send, ignored));
}

WireResponse HttpConnection::rate_limited(Nanoseconds wait, const WireRequest& request) const {
  HttpResponse response = problem(
      429, {ErrorCode::busy,
            fmt::format("More than {:g} requests a second", service_.limits.requests_per_second),
            "Wait as long as Retry-After says; to follow a run, watch /ws/profiling."});
  response.headers.emplace_back(
      "Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
  return wire(std::move(response), request);
}

asio::awaitable<bool> HttpConnection::reply(HttpResponse answered, const WireRequest& request) {
  const bool is_large = answered.stream || answered.body.size() > kLarge;
  std::optional<AnswerRoom::Place> place;
  if (is_large && request.method() != http::verb::head) {
    place = service_.room.reserve(client_, answered.body.size());
    if (!place) {
      kLog.warning(
          "Refused an answer to {}: {} large answers are being sent ({} bytes of them wait), {} "
          "of them to this client",
          client_, service_.room.answers(), service_.room.bytes(),
          service_.room.answers_of(client_));
      answered = too_many_answers();
    }
  }
  if (answered.stream) {
    if (!place) {  // a HEAD request
      const std::string head = stream_head_text(answered, request);
      co_return co_await write(head) && request.version() >= 11 && request.keep_alive();
    }
    co_return co_await send_stream(std::move(answered), request, *std::move(place));
  }
  co_return co_await send(wire(std::move(answered), request));
}

HttpResponse HttpConnection::too_many_answers() const {
  HttpResponse response = problem(
      503, {ErrorCode::busy,
            fmt::format("Too many large answers are being sent: {}, of which {} to this address",
                        service_.room.answers(), service_.room.answers_of(client_)),
            "Read them completely, or wait as long as Retry-After says, and try again."});
  response.headers.emplace_back("Retry-After", "2");
  return response;
}

asio::awaitable<bool> HttpConnection::send(WireResponse response) {
  std::string text = head_text(response);
  const bool is_small = response.body().size() <= kLarge;
  if (is_small) {
    text += response.body();
  }
  bool sent = co_await write(text);
  if (sent && !is_small) {
    sent = co_await write(response.body());
  }
  co_return sent && !response.need_eof();
}

asio::awaitable<bool> HttpConnection::send_stream(HttpResponse answered, const WireRequest& request,
                                                  AnswerRoom::Place place) {
  const bool in_chunks = request.version() >= 11;
  std::string text = stream_head_text(answered, request);
  std::string piece = std::move(answered.body);
  bool more = true;
  while (true) {
    if (in_chunks && !piece.empty()) {  // an empty chunk would end the body
      text += beast::buffers_to_string(http::make_chunk(asio::buffer(piece)));
    } else {
      text += piece;
    }
    if (in_chunks && !more) {
      text += beast::buffers_to_string(http::make_chunk_last());
    }
    piece = std::string{};  // frees the memory of a long piece
    place.set_bytes(text.size());
    if (!co_await write(text)) {
      kLog.debug("Stopped sending an answer: the client went away, or read nothing for too long");
      co_return false;
    }
    if (!more) {
      co_return in_chunks&& request.keep_alive();
    }
    text = std::string{};
    const Result<bool> made = co_await make_piece(*answered.stream, piece);
    if (!made) {  // the client notices that the end is missing
      kLog.error("An answer was cut off: {}", made.error().message);
      error_code ignored;
      static_cast<void>(stream_.socket().set_option(asio::socket_base::linger(true, 0), ignored));
      stream_.close();
      co_return false;
    }
    more = *made;
  }
}

asio::awaitable<bool> HttpConnection::write(std::string_view text) {
  error_code error;
  while (!error && !text.empty()) {
    // The limit applies to each part: a long text may take longer as a whole.
    std::string_view part = text.substr(0, kLarge);
    text.remove_prefix(part.size());
    stream_.expires_after(service_.limits.idle);
    while (!error && !part.empty()) {
      const std::size_t count = co_await stream_.async_write_some(
          asio::buffer(part.data(), part.size()), no_throw(error));
      part.remove_prefix(count);
    }
  }
  co_return !error;
}

asio::awaitable<void> HttpConnection::answer_unreadable(error_code reason) {
  HttpResponse response;
  if (reason == http::error::body_limit) {
    response = problem(413, {ErrorCode::too_large, "The request's body is too large", ""});
  } else if (reason == http::error::header_limit || reason == http::error::buffer_overflow) {
    response = problem(431, {ErrorCode::too_large, "The request's headers are too large", ""});
  } else if (reason.category() == http::make_error_code(http::error::bad_method).category() &&
             reason != http::error::end_of_stream && reason != http::error::partial_message) {
    response = problem(400, {ErrorCode::malformed, "This is not HTTP: " + reason.message(), ""});
  } else {
    co_return;  // the client went away, or sent nothing in time
  }
  co_await send(wire(std::move(response), unread_request()));
  error_code ignored;  // the connection is closed in any case
  // Closing the connection while the client still sends would also discard the answer.
  static_cast<void>(stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored));
  stream_.expires_after(kLinger);
  std::array<char, 16'384> unread{};
  while (!ignored) {
    co_await stream_.async_read_some(asio::buffer(unread), no_throw(ignored));
  }
}

asio::awaitable<HttpResponse> HttpConnection::run_handler(const HttpRequest& request) {
  if (auto refusal = service_.policy.refusal(request)) {
    co_return *std::move(refusal);
  }
  HttpResponse response;
  // What is passed to co_spawn has a name, because g++ 12 destroys some temporaries of a co_await
  // twice (gcc.gnu.org/PR99576).
  const auto work = [this, &request, &response]() -> asio::awaitable<void> {
    response = call_handler(request);
    co_return;
  };
  const bool is_quick =
      std::ranges::find(service_.quick_paths, request.path) != service_.quick_paths.end();
  asio::thread_pool& workers = is_quick ? service_.quick_worker : service_.workers;
  co_await asio::co_spawn(workers, work, asio::use_awaitable);
  co_return response;
}

void HttpConnection::fill_body(HttpResponse& response) {
  while (response.stream && response.body.size() <= kLarge) {
    const auto more = response.stream->next(response.body);
    if (!more) {
      response = problem(more.error());
    } else if (!*more) {
      response.stream.reset();
    }
  }
}

asio::awaitable<Result<bool>> HttpConnection::make_piece(TextStream& stream, std::string& piece) {
  Result<bool> more = false;
  const auto work = [&stream, &piece, &more]() -> asio::awaitable<void> {
    try {
      more = stream.next(piece);
    } catch (const std::exception& error) {
      more = fail(ErrorCode::internal, error.what());
    }
    co_return;
  };
  co_await asio::co_spawn(service_.workers, work, asio::use_awaitable);
  co_return more;
}

HttpResponse HttpConnection::call_handler(const HttpRequest& request) const {
  try {
    HttpResponse response = service_.handler(request);
    fill_body(response);
    return response;
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
        503, {ErrorCode::busy,
              fmt::format("The limit of {} is reached", counted(watchers.count(), "watcher")),
              "Close one of them, and try again."});
  } else if (since = parse_since(asked.parameter("since"), last); !since) {
    refusal = problem(
        400, {ErrorCode::invalid_argument,
              "since is not the number of an event: " + std::string(asked.parameter("since")),
              "Pass the seq of the last event that was seen, or leave it out."});
  }
  if (!since) {
    co_await send(wire(std::move(refusal), request));
    co_return;
  }
  co_await watchers.watch(std::move(stream_), std::move(request), *since, last);
}

}  // namespace enprof
