// Limits for the server's clients.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace enprof {

/// How many resources a client may use, and for how long.
struct HttpLimits {
  std::size_t body_bytes = std::size_t{4} << 20U;  ///< of a request
  std::uint32_t header_bytes = 16U << 10U;
  std::size_t connections = 1024;
  std::size_t watchers = 512;        ///< WebSockets among them
  std::size_t message_bytes = 8192;  ///< from a watcher
  /// Closes a connection that sends no request, or reads less than 64 KB of its answer, in this
  /// time.
  std::chrono::seconds idle{30};
  std::chrono::seconds stalled{10};    ///< a watcher is dropped if it does not read a frame in this
                                       ///< time
  std::size_t frames_per_second = 30;  ///< to one watcher
  std::size_t events_per_frame = 4096;
  /// Per address; beyond it the answer is 429 with Retry-After. A WebSocket counts once.
  double requests_per_second = 100.0;
  double request_burst = 500.0;
  /// Answers of more than 64 KB that are being sent at a time. Beyond it, or if one address holds
  /// as many as are free: 503. See AnswerRoom.
  std::size_t large_answers = 64;
  std::size_t large_answer_bytes = std::size_t{64} << 20U;  ///< of these answers in memory; 503
                                                            ///< beyond it
};

}  // namespace enprof
