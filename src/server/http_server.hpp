// HTTP and WebSocket on sockets. Beside live_client.cpp the only part that knows Boost.Beast.
#pragma once

#include "enprof/base/error.hpp"

#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/http_message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace enprof {

/// How much a client may ask for, and how long it may take.
struct HttpLimits {
  std::size_t body_bytes = std::size_t{4} << 20U;  ///< of a request
  std::uint32_t header_bytes = 16U << 10U;
  std::size_t connections = 1024;
  std::size_t watchers = 512;          ///< WebSockets among them
  std::size_t message_bytes = 8192;    ///< from a watcher
  std::chrono::seconds idle{30};       ///< a connection without a request
  std::chrono::seconds stalled{10};    ///< a watcher that does not take its frame is dropped
  std::size_t frames_per_second = 30;  ///< to one watcher
  std::size_t events_per_frame = 4096;
  /// Of one address; beyond it the answer is 429 with Retry-After. A WebSocket counts once.
  double requests_per_second = 100.0;
  double request_burst = 500.0;
};

/// Listens, answers requests through one handler, and feeds watchers from a hub.
///
/// A connection beyond the limits is told 503 and closed.
///
/// Requests are handled on a few worker threads, so that a slow one (a large query) holds up
/// neither the others nor the watchers. A watcher that falls behind gets merged power samples; one
/// that takes nothing for `stalled`, or for which the hub has forgotten events twice in a row, is
/// dropped with a reason in its close frame; the hub and other watchers do not notice.
///
/// Threads: any thread may call anything.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;  ///< 0: any that is free
    std::string token;
    std::string live_path = "/ws/profiling";
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
