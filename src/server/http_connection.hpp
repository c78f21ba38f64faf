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

/// What a server's connections share; it outlives them.
struct HttpService {
  const HttpLimits& limits;
  const std::string& live_path;
  const std::function<HttpResponse(const HttpRequest&)>& handler;
  const AccessPolicy& policy;
  RateLimiter& limiter;
  LiveWatchers& watchers;
  boost::asio::thread_pool& workers;  ///< run the handler
  /// Runs it for these paths, which are answered however busy the others are.
  boost::asio::thread_pool& quick_worker;
  const std::vector<std::string>& quick_paths;
  AnswerRoom& room;
  bool stopping = false;
};

/// Reads requests and answers them, one after the other; one that asks for a WebSocket becomes a
/// watcher. Threads: the one that runs the coroutine.
class HttpConnection {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, HttpService& service);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Until either side ends it.
  boost::asio::awaitable<void> run();
  /// Ends it where it waits for a request; an answer under way is still sent.
  void stop();

  /// Instead of a connection, where there are so many already: says so, if the client's buffer
  /// takes it at once, and closes. More it does not get.
  static void turn_away(boost::asio::ip::tcp::socket& socket, std::size_t connections);

 private:
  [[nodiscard]] HttpResponse too_many_answers() const;
  [[nodiscard]] WireResponse too_often(Nanoseconds wait, const WireRequest& request) const;
  /// False where the connection is of no more use.
  boost::asio::awaitable<bool> reply(HttpResponse answered, const WireRequest& request);
  boost::asio::awaitable<bool> send(WireResponse response);
  /// Says that the body may come; or, to who may not, that it need not. False where the connection
  /// is of no more use.
  boost::asio::awaitable<bool> invite_body(const WireRequest& head);
  /// The body as it is made, a piece when the one before was taken.
  boost::asio::awaitable<bool> send_stream(HttpResponse answered, const WireRequest& request,
                                           AnswerRoom::Place place);
  /// False where it could not be written whole. The text outlives the call.
  boost::asio::awaitable<bool> write(std::string_view text);
  /// Answers a request that could not be read, where it is the client's doing.
  boost::asio::awaitable<void> refuse(boost::system::error_code reason);
  /// Runs the handler on a worker, and comes back. The request outlives the call.
  boost::asio::awaitable<HttpResponse> answer(const HttpRequest& request);
  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const;
  /// Makes as much of the body as is no large answer, which may be all of it.
  static void begin(HttpResponse& response);
  /// Has the next piece made on a worker. Both outlive the call.
  boost::asio::awaitable<Result<bool>> make_piece(TextStream& stream, std::string& piece);
  boost::asio::awaitable<void> watch(WireRequest request);

  HttpService& service_;
  boost::beast::tcp_stream stream_;
  std::string client_;      // its address; empty where it is not known
  bool is_asking_ = false;  // its next request has not come yet
};

}  // namespace enprof
