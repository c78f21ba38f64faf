// The other end of the live stream.
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

/// One WebSocket to a server, and questions to its API. The only part of the
/// client's side that knows Boost.Beast.
/// Threads: one at a time; a stop that is requested ends what is waited for within
/// 100 ms, with the error `cancelled`.
class LiveClient {
 public:
  struct Options {
    ServerUrl url;
    std::string token;  ///< may be empty
    /// Go on after this event; empty: from now on.
    std::optional<std::uint64_t> since;
    /// What is wanted, as the server reads it: {"subscribe":{…}}; empty: everything.
    std::string subscription;
    /// How long the server may take to connect, to answer, and to show that it is still there.
    std::chrono::milliseconds patience{10'000};
    HostLookup lookup = look_up;
  };

  /// Connects. Errors: unavailable (nobody listens, no answer, no such host: worth another try);
  /// busy (it has as many watchers as it may); permission_denied; not_found (no enprof at that
  /// path); malformed (what answers is not enprof); invalid_argument (of `since`); cancelled.
  [[nodiscard]] static Result<std::unique_ptr<LiveClient>> connect(const Options& options,
                                                                   const std::stop_token& stop);
  /// The body of what the server answers to GET `path`, such as "/api/health". Errors: as above,
  /// not_found also where the server says so.
  [[nodiscard]] static Result<std::string> get(const Options& options, std::string_view path,
                                               const std::stop_token& stop);

  LiveClient() = default;
  LiveClient(const LiveClient&) = delete;
  LiveClient& operator=(const LiveClient&) = delete;
  virtual ~LiveClient() = default;

  /// The next frame, a JSON array of events as text; empty where none comes within `wait`. Errors:
  /// unavailable, where the connection has ended, with the reason where the server gave one;
  /// cancelled.
  [[nodiscard]] virtual Result<std::optional<std::string>> next(std::chrono::milliseconds wait) = 0;

  /// The number of the server's latest event when the connection was made: what to go on after,
  /// should it break before an event has come. Empty where the server does not say.
  [[nodiscard]] virtual std::optional<std::uint64_t> last_event() const = 0;

  /// Whether it may work another time without anybody doing anything.
  [[nodiscard]] static bool is_passing(ErrorCode code) {
    return code == ErrorCode::unavailable || code == ErrorCode::busy;
  }
};

/// How long to wait before trying again after so many failures (from 1): half a second, doubled up
/// to 15 s, of which `chance`, 0–1, leaves the upper half to luck, so that the watchers of a server
/// that comes back do not all come at once.
[[nodiscard]] std::chrono::milliseconds reconnect_delay(int failures, double chance);

}  // namespace enprof
