// One connection of the server.
#pragma once

#include "enprof/base/units.hpp"

#include "server/access_policy.hpp"
#include "server/answer_room.hpp"
#include "server/http_limits.hpp"
#include "server/http_message.hpp"
#include "server/http_wire.hpp"
#include "server/live_watchers.hpp"
#include "server/rate_limiter.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Shared by a server's connections, and outlives them.
struct HttpService {
  const HttpLimits& limits;
  const std::string& live_path;
  const std::function<HttpResponse(const HttpRequest&)>& handler;
  const AccessPolicy& policy;
  RateLimiter& limiter;
  LiveWatchers& watchers;
  boost::asio::thread_pool& workers;  ///< run the handler
  /// Runs the handler for `quick_paths`, which are answered even while the other workers are busy.
  boost::asio::thread_pool& quick_worker;
  const std::vector<std::string>& quick_paths;
  AnswerRoom& room;
  bool stopping = false;
};

/// Reads requests and answers them, one after the other. A request for a WebSocket turns the
/// connection into a watcher. Threads: the one that runs the coroutine.
class HttpConnection {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, HttpService& service);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Serves until either side closes the connection.
  boost::asio::awaitable<void> run();
  /// Closes the connection if it is waiting for a request; otherwise it closes after the present
  /// answer.
  void stop();

  /// Replaces a connection beyond the limit: sends 503 if the client's buffer takes it at once, and
  /// closes.
  static void turn_away(boost::asio::ip::tcp::socket& socket, std::size_t connections);

 private:
  [[nodiscard]] HttpResponse too_many_answers() const;
  [[nodiscard]] WireResponse rate_limited(Nanoseconds wait, const WireRequest& request) const;
  /// False if the connection cannot be used any longer.
  boost::asio::awaitable<bool> reply(HttpResponse answered, const WireRequest& request);
  boost::asio::awaitable<bool> send(WireResponse response);
  /// Sends "100 Continue", or a refusal if the request is not allowed. False if the connection
  /// cannot be used any longer.
  boost::asio::awaitable<bool> send_continue(const WireRequest& head);
  /// Sends the body while it is made: each piece is made when the previous one was sent.
  boost::asio::awaitable<bool> send_stream(HttpResponse answered, const WireRequest& request,
                                           AnswerRoom::Place place);
  /// False if it could not be written completely. The text must outlive the call.
  boost::asio::awaitable<bool> write(std::string_view text);
  /// Answers a request that could not be read, if that is the client's fault.
  boost::asio::awaitable<void> answer_unreadable(boost::system::error_code reason);
  /// Runs the handler on a worker thread. The request must outlive the call.
  boost::asio::awaitable<HttpResponse> run_handler(const HttpRequest& request);
  [[nodiscard]] HttpResponse call_handler(const HttpRequest& request) const;
  /// Makes the beginning of the body, up to the size of a large answer. This may be all of it.
  static void fill_body(HttpResponse& response);
  /// Makes the next piece on a worker thread. Both arguments must outlive the call.
  boost::asio::awaitable<Result<bool>> make_piece(TextStream& stream, std::string& piece);
  boost::asio::awaitable<void> watch(WireRequest request);

  HttpService& service_;
  boost::beast::tcp_stream stream_;
  std::string client_;    // its address; empty if unknown
  bool is_idle_ = false;  // waiting for the next request
};

}  // namespace enprof
