// What is to be done with a source next, and when.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/thread_time.hpp"
#include "power/sampler/reading_pace.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace enprof {

/// A source that works is polled every period, in step with its first poll; fewer times where
/// reading it would take more than its share of a CPU (ReadingPace). One that does not start, or is
/// lost, is tried again after kFirstRetry, and after twice as long each time, up to kLongestRetry.
/// One that has ended on purpose is left alone.
///
/// Threads: one at a time.
class PollSchedule {
 public:
  enum class Step : std::uint8_t {
    start,    ///< it has not started yet, or is lost
    poll,     ///< it works
    nothing,  ///< it has ended
  };
  struct Options {
    Nanoseconds period{0};
    std::optional<double> cpu_share{};  ///< bound on what reading takes; none: as often as asked
    /// See PowerSource::wake_for.
    std::function<Instant(Instant due)> wake_for = [](Instant due) { return due; };
    /// What the calling thread has used, ever.
    std::function<Nanoseconds()> cpu_time = thread_cpu_time;
  };

  /// A start is due at once.
  explicit PollSchedule(Options options);

  [[nodiscard]] Step next_step() const { return next_; }
  [[nodiscard]] bool is_due(Instant now) const { return now >= wake_at_; }
  /// Until something is due; kLongestSleep at most.
  [[nodiscard]] Nanoseconds time_to_sleep(Instant now) const;
  [[nodiscard]] Nanoseconds period() const { return options_.period; }

  /// It has started: the first poll is due after a period.
  void set_started(Instant now);
  /// The poll that was due is over; plans the next. Returns how many polls before it were left out
  /// to save CPU time.
  std::size_t plan_next_poll(Instant now);
  /// It has given readings: if it is lost, it is tried again soon.
  void set_working() { retry_ = kFirstRetry; }
  /// It did not start, or is lost: plans the next attempt.
  void set_lost(Instant now);
  void set_ended() { next_ = Step::nothing; }

  static constexpr Nanoseconds kFirstRetry = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestRetry = std::chrono::seconds{60};
  /// So far an instant may lie ahead without a wait overflowing.
  static constexpr Nanoseconds kLongestSleep = std::chrono::hours{1};

 private:
  void set_due(Instant due);

  Options options_;
  Step next_ = Step::start;
  std::optional<ReadingPace> pace_;
  Nanoseconds retry_ = kFirstRetry;   // until the next attempt to start
  std::size_t left_out_ = 0;          // polls before the one that is due
  Instant due_ = Instant::min();      // the next poll, or attempt to start
  Instant wake_at_ = Instant::min();  // for it
};

}  // namespace enprof
