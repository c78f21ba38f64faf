// All WebSockets of the server.
#pragma once

#include "live/event_hub.hpp"
#include "server/http_limits.hpp"
#include "server/http_wire.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace enprof {

class LiveWatcher;

/// Sends a hub's events to watchers; counts the watchers and the events that they miss.
///
/// Threads: any may read the counts; everything else is for the thread that runs the coroutines.
class LiveWatchers {
 public:
  using Types = std::set<std::string, std::less<>>;

  /// Both must outlive it.
  LiveWatchers(EventHub& hub, const HttpLimits& limits) : hub_(hub), limits_(limits) {}

  /// Accepts a WebSocket and sends it the events after `since`, until either side closes it. `last`
  /// is the number of the latest event, which is sent in the answer's headers.
  boost::asio::awaitable<void> watch(boost::beast::tcp_stream stream, WireRequest request,
                                     std::uint64_t since, std::uint64_t last);
  /// There are new events.
  void wake();
  /// Tells all watchers that the server is stopping.
  void stop();

  [[nodiscard]] std::size_t count() const { return count_.load(); }
  [[nodiscard]] bool is_full() const { return count() >= limits_.watchers; }
  // See HttpServer.
  [[nodiscard]] std::size_t subscribers(std::string_view type) const;
  [[nodiscard]] std::size_t dropped() const { return dropped_.load(); }
  [[nodiscard]] std::uint64_t dropped_events() const { return dropped_events_.load(); }

  // For a watcher.
  [[nodiscard]] const EventHub& hub() const { return hub_; }
  [[nodiscard]] const HttpLimits& limits() const { return limits_; }
  [[nodiscard]] bool is_stopping() const { return stopping_; }
  /// The watcher subscribes to other types than before.
  void count_types(const Types& before, const Types& now);
  /// The watcher was dropped.
  void count_dropped() { ++dropped_; }
  /// The watcher missed this many events.
  void count_missed(std::uint64_t events) { dropped_events_ += events; }

 private:
  EventHub& hub_;
  const HttpLimits& limits_;
  std::list<LiveWatcher*> watching_;  // each while its coroutine runs
  bool stopping_ = false;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::size_t> dropped_{0};
  std::atomic<std::uint64_t> dropped_events_{0};
  mutable std::mutex types_mutex_;
  std::map<std::string, std::size_t, std::less<>> types_;  // event type → number of subscribers
};

}  // namespace enprof
