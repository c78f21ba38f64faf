// The server: HTTP and WebSocket on a socket that listens.
#pragma once

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

/// Listens, answers requests through one handler, and feeds watchers from a hub.
///
/// A connection beyond the limits is told 503 and closed, as is a large answer beyond them. Large
/// answers are sent while they are made: a client that takes nothing holds a piece of its own in
/// memory, and is dropped after a while.
///
/// Requests are handled on a few worker threads, so that a slow one (a large query) holds up
/// neither the others nor the watchers; who asks after the server's health has a thread apart. A
/// watcher that falls behind gets merged power samples; one that takes nothing for `stalled`, or
/// for which the hub has forgotten events twice in a row, is dropped with a reason in its close
/// frame; the hub and other watchers do not notice.
///
/// Threads: any thread may call anything.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;  ///< 0: any that is free
    std::string token;
    std::vector<AccessPolicy::Host> allowed_hosts;  ///< see AccessPolicy
    std::string live_path = "/ws/profiling";
    /// Answered by a thread of their own; their handler waits for nothing.
    std::vector<std::string> quick_paths{"/healthz", "/api/health", "/metrics"};
    HttpLimits limits;
  };

  /// Binds and listens; connections are answered once run() is called. `handler` must not throw;
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
  /// Ends run() after watchers have been told. Later calls do nothing.
  virtual void stop() = 0;

  [[nodiscard]] virtual std::size_t watchers() const = 0;
  /// Watchers that have subscribed to a type by its name: to everything does not count.
  [[nodiscard]] virtual std::size_t subscribers(std::string_view type) const = 0;
  /// Watchers that were dropped since the start.
  [[nodiscard]] virtual std::size_t dropped_watchers() const = 0;
  /// Events that watchers did not get, since the start: forgotten before they could be sent, or
  /// waiting when their watcher was dropped.
  [[nodiscard]] virtual std::uint64_t dropped_events() const = 0;
};

}  // namespace enprof
