// Decides what to do with a source next, and when.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/thread_time.hpp"
#include "power/sampler/reading_pace.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace enprof {

/// A source that works is polled every period, in step with its first poll; less often if reading
/// it would take more than its share of a CPU (ReadingPace). A source that does not start, or is
/// lost, is tried again after kFirstRetry, then after times that double, up to kLongestRetry. A
/// source that has ended on purpose is not polled again.
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
    std::optional<double> cpu_share{};  ///< limit of the CPU time of reading; empty: no limit
    /// See PowerSource::wake_for.
    std::function<Instant(Instant due)> wake_for = [](Instant due) { return due; };
    /// CPU time that the calling thread has used since it began.
    std::function<Nanoseconds()> cpu_time = thread_cpu_time;
  };

  /// The source is to be started at once.
  explicit PollSchedule(Options options);

  [[nodiscard]] Step next_step() const { return next_; }
  [[nodiscard]] bool is_due(Instant now) const { return now >= wake_at_; }
  /// The time until something is due; at most kLongestSleep.
  [[nodiscard]] Nanoseconds time_to_sleep(Instant now) const;
  [[nodiscard]] Nanoseconds period() const { return options_.period; }

  /// The source has started: the first poll is due after one period.
  void set_started(Instant now);
  /// The poll that was due is finished: plans the next one, at the earliest after `rest`. Returns
  /// how many polls before it were left out on purpose.
  std::size_t plan_next_poll(Instant now, Nanoseconds rest = Nanoseconds{0});
  /// The source has given readings: if it is lost later, it is tried again soon.
  void set_working() { retry_ = kFirstRetry; }
  /// The source did not start, or is lost: plans the next attempt.
  void set_lost(Instant now);
  void set_ended() { next_ = Step::nothing; }

  static constexpr Nanoseconds kFirstRetry = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestRetry = std::chrono::seconds{60};
  /// Limits the time of a wait, which must not overflow.
  static constexpr Nanoseconds kLongestSleep = std::chrono::hours{1};

 private:
  void set_due(Instant due);

  Options options_;
  Step next_ = Step::start;
  std::optional<ReadingPace> pace_;
  Nanoseconds retry_ = kFirstRetry;   // time until the next attempt to start
  std::size_t left_out_ = 0;          // polls before the next one
  Instant due_ = Instant::min();      // of the next poll, or attempt to start
  Instant wake_at_ = Instant::min();  // when the thread wakes up for it
};

}  // namespace enprof
