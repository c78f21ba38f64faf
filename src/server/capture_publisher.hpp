// Publishes the requests of a program while it is measured.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include "base/periodic_thread.hpp"
#include "server/live_publisher.hpp"
#include "session/live_requests.hpp"

#include <chrono>
#include <deque>
#include <string>

namespace enprof {

/// Looks for news of the requests a few times a second, and publishes them if there are any. A
/// program that makes no passes has none. Threads: one; a thread of its own publishes.
class CapturePublisher {
 public:
  /// Between two looks.
  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds{250};
  /// What rates are means over.
  static constexpr Nanoseconds kRecent = std::chrono::seconds{2};

  /// All must outlive it.
  CapturePublisher(LivePublisher& publisher, LiveRequests& requests,
                   const Clock& clock = monotonic_clock())
      : publisher_(publisher), requests_(requests), clock_(clock) {}

  /// A run has begun, at this instant.
  void start(std::string run_id, Instant begin);
  /// Its program has ended, and all its passes are known: publishes the last news.
  void end();

 private:
  struct Moment {
    Instant at;
    RequestsSoFar sums;
  };

  void look();
  /// What was so far, kRecent ago.
  [[nodiscard]] Moment recent(Instant now);

  LivePublisher& publisher_;
  LiveRequests& requests_;
  const Clock& clock_;
  std::string run_id_;
  Instant begin_;
  RequestsSoFar published_;
  std::deque<Moment> moments_;  // the oldest is kRecent old, or the run's begin
  PeriodicThread thread_;
};

}  // namespace enprof
