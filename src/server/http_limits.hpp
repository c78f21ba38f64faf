// What a client of the server may do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace enprof {

/// How much a client may ask for, and how long it may take.
struct HttpLimits {
  std::size_t body_bytes = std::size_t{4} << 20U;  ///< of a request
  std::uint32_t header_bytes = 16U << 10U;
  std::size_t connections = 1024;
  std::size_t watchers = 512;        ///< WebSockets among them
  std::size_t message_bytes = 8192;  ///< from a watcher
  /// A connection without a request, or one that does not take 64 KB of its answer in this time.
  std::chrono::seconds idle{30};
  std::chrono::seconds stalled{10};    ///< a watcher that does not take its frame is dropped
  std::size_t frames_per_second = 30;  ///< to one watcher
  std::size_t events_per_frame = 4096;
  /// Of one address; beyond it the answer is 429 with Retry-After. A WebSocket counts once.
  double requests_per_second = 100.0;
  double request_burst = 500.0;
  /// Of more than 64 KB, on their way at a time; beyond it, or where one address has as many as are
  /// free: 503. See AnswerRoom.
  std::size_t large_answers = 64;
  std::size_t large_answer_bytes = std::size_t{64} << 20U;  ///< of them in memory; likewise
};

}  // namespace enprof
