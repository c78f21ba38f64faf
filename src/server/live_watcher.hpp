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

/// Two coroutines: one reads the client's messages, the other sends events. Shared by both and by
/// timer handlers, which may run after both have ended. Threads: the one that runs the coroutines.
class LiveWatcher : public std::enable_shared_from_this<LiveWatcher> {
 public:
  /// `watchers` must outlive it; `last` is the number of the latest event at the time of
  /// connecting.
  LiveWatcher(LiveWatchers& watchers, boost::beast::tcp_stream stream, std::uint64_t since,
              std::uint64_t last);
  LiveWatcher(const LiveWatcher&) = delete;
  LiveWatcher& operator=(const LiveWatcher&) = delete;
  // Not inline: compiling the WebSocket's types takes long.
  ~LiveWatcher();

  /// Accepts the WebSocket and sends events until either side closes it.
  boost::asio::awaitable<void> run(WireRequest request);

  /// There are new events. A watcher that pauses between two frames finishes its pause first.
  void wake();
  /// Wakes it at once, because it has to end.
  void wake_now();

 private:
  boost::asio::awaitable<void> read_messages();
  boost::asio::awaitable<void> send_events();
  /// False if the client is gone, or was dropped because it did not read the frame.
  boost::asio::awaitable<bool> send(const std::string& frame);
  boost::asio::awaitable<void> sleep(std::chrono::nanoseconds duration);
  void close_with_reason(boost::beast::websocket::close_code code, std::string_view why);
  void drop(const char* reason);

  LiveWatchers& watchers_;
  boost::beast::websocket::stream<boost::beast::tcp_stream> socket_;
  std::uint64_t since_;
  const std::uint64_t last_;
  LiveFilter filter_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer stall_;
  std::optional<boost::beast::websocket::close_reason> close_reason_;
  bool is_gone_ = false;
  bool is_pausing_ = false;  // between two frames
};

}  // namespace enprof
