// The server: HTTP and WebSocket on a listening socket.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/http_limits.hpp"
#include "server/http_message.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Listens, answers requests through one handler, and sends a hub's events to watchers.
///
/// A connection beyond the limits gets 503 and is closed; a large answer beyond them is refused
/// with 503. Large answers are sent while they are made: a client that reads nothing holds one
/// piece in memory, and is dropped after a while.
///
/// Requests are handled on a few worker threads, so that a slow one (a large query) delays neither
/// the others nor the watchers. Health requests have a separate thread. A watcher that falls behind
/// gets merged power samples. It is dropped, with a reason in its close frame, if it reads nothing
/// for `stalled` or misses events twice in a row. The hub and other watchers are not affected.
///
/// Threads: any thread may call anything.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;  ///< 0: any free port
    std::string token;
    std::vector<AccessPolicy::Host> allowed_hosts;  ///< see AccessPolicy
    std::string live_path = "/ws/profiling";
    /// Answered by a separate thread; their handler must not wait.
    std::vector<std::string> quick_paths{"/healthz", "/api/health", "/metrics"};
    HttpLimits limits;
    /// What `limits.requests_per_second` are counted by; the other limits are of real time.
    const Clock* clock = &monotonic_clock();
  };

  /// Binds and listens; connections are answered once run() is called. `handler` should not throw;
  /// an exception is answered with 500 and logged. Errors: invalid_argument (no such address),
  /// permission_denied, busy (the port is taken).
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> open(const Options& options,
                                                                Handler handler, EventHub& hub);
  HttpServer() = default;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  virtual ~HttpServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Serves until stop(), on the calling thread.
  virtual void run() = 0;
  /// Ends run() after telling the watchers. Later calls do nothing.
  virtual void stop() = 0;

  [[nodiscard]] virtual std::size_t watchers() const = 0;
  /// Watchers that subscribed to a type by name. Those that subscribed to everything do not count.
  [[nodiscard]] virtual std::size_t subscribers(std::string_view type) const = 0;
  /// Watchers that were dropped since the start.
  [[nodiscard]] virtual std::size_t dropped_watchers() const = 0;
  /// Events that watchers missed since the start: dropped before they could be sent, or still
  /// waiting when their watcher was dropped.
  [[nodiscard]] virtual std::uint64_t dropped_events() const = 0;
};

}  // namespace enprof
