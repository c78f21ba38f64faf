// The client of the live stream.
#pragma once

#include "enprof/base/error.hpp"

#include "server/host_lookup.hpp"
#include "server/server_url.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace enprof {

/// A WebSocket to a server, and GET requests to its API. The only client code that uses
/// Boost.Beast. Threads: one at a time. A requested stop ends any wait within 100 ms, with the
/// error `cancelled`.
class LiveClient {
 public:
  struct Options {
    ServerUrl url;
    std::string token;  ///< may be empty
    /// Continue after this event; empty: start with new events.
    std::optional<std::uint64_t> since;
    /// The subscription message for the server: {"subscribe":{…}}; empty: everything.
    std::string subscription;
    /// How long the server may take to connect, to answer, and to send a sign of life.
    std::chrono::milliseconds patience{10'000};
    HostLookup lookup = look_up;
  };

  /// Connects. Errors: unavailable (no server listens, no answer, no such host: worth retrying);
  /// busy (the server has as many watchers as it may); permission_denied; not_found (no enprof at
  /// that path); malformed (another program answers); invalid_argument (of `since`); cancelled.
  [[nodiscard]] static Result<std::unique_ptr<LiveClient>> connect(const Options& options,
                                                                   const std::stop_token& stop);
  /// The body of the answer to GET `path`, such as "/api/health". Errors: as above; not_found also
  /// if the server answers so.
  [[nodiscard]] static Result<std::string> get(const Options& options, std::string_view path,
                                               const std::stop_token& stop);

  LiveClient() = default;
  LiveClient(const LiveClient&) = delete;
  LiveClient& operator=(const LiveClient&) = delete;
  virtual ~LiveClient() = default;

  /// The next frame, a JSON array of events as text; empty if none comes within `wait`. Errors:
  /// unavailable, if the connection has ended, with the server's reason if it gave one; cancelled.
  [[nodiscard]] virtual Result<std::optional<std::string>> next(std::chrono::milliseconds wait) = 0;

  /// The server's latest event number when the connection was made. Continue after it if the
  /// connection breaks before an event has come. Empty if the server did not send it.
  [[nodiscard]] virtual std::optional<std::uint64_t> last_event() const = 0;

  /// Whether a retry may succeed without any change by the user.
  [[nodiscard]] static bool is_passing(ErrorCode code) {
    return code == ErrorCode::unavailable || code == ErrorCode::busy;
  }
};

/// How long to wait before reconnecting, after this many failures (from 1): half a second, doubled
/// up to 15 s. The upper half of it is random (`chance`, 0–1), so that the watchers of a restarted
/// server do not all reconnect at once.
[[nodiscard]] std::chrono::milliseconds reconnect_delay(int failures, double chance);

}  // namespace enprof
