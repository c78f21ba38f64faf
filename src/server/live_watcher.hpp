// One WebSocket of the server.
#pragma once

#include "server/http_wire.hpp"
#include "server/live_frame.hpp"
#include "server/live_watchers.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Two coroutines: one hears what the client says, one tells it what there is. Shared by both, and
/// by its timers' handlers, which may come after either has ended.
/// Threads: the one that runs the coroutines.
class LiveWatcher : public std::enable_shared_from_this<LiveWatcher> {
 public:
  /// `watchers` outlives it; `last` is the number of the latest event when it came.
  LiveWatcher(LiveWatchers& watchers, boost::beast::tcp_stream stream, std::uint64_t since,
              std::uint64_t last);
  LiveWatcher(const LiveWatcher&) = delete;
  LiveWatcher& operator=(const LiveWatcher&) = delete;
  // Not in this header: compiling what the WebSocket is made of takes long.
  ~LiveWatcher();

  /// Accepts the WebSocket, and tells it what there is until either side ends it.
  boost::asio::awaitable<void> run(WireRequest request);

  /// There is something to tell. One that has just been told is left to its pause.
  void wake();
  /// It has to end.
  void wake_now();

 private:
  boost::asio::awaitable<void> hear();
  boost::asio::awaitable<void> tell();
  /// False where the client is gone, or was dropped because it does not take the frame.
  boost::asio::awaitable<bool> send(const std::string& frame);
  boost::asio::awaitable<void> sleep(std::chrono::nanoseconds duration);
  void say_goodbye(boost::beast::websocket::close_code code, std::string_view why);
  void drop(const char* reason);

  LiveWatchers& watchers_;
  boost::beast::websocket::stream<boost::beast::tcp_stream> socket_;
  std::uint64_t since_;
  const std::uint64_t last_;
  LiveFilter filter_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer stall_;
  std::optional<boost::beast::websocket::close_reason> goodbye_;
  bool gone_ = false;
  bool pausing_ = false;  // between two frames
};

}  // namespace enprof
