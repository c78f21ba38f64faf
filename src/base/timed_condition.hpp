// A condition variable whose limits of time are a clock's.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/stepped_clock.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace enprof {

/// On a SteppedClock a wait ends when somebody has moved the clock far enough and says so. On every
/// other clock real time passes: who waits ends when the monotonic clock has gone on by as much as
/// the other one was to.
///
/// Threads: notify from any; one waits at a time; set_clock, begin_thread and end_thread while none
/// does.
class TimedCondition final : private SteppedClock::Waiter {
 public:
  /// The clock outlives it.
  explicit TimedCondition(const Clock& clock = monotonic_clock()) { set_clock(clock); }
  TimedCondition(const TimedCondition&) = delete;
  TimedCondition& operator=(const TimedCondition&) = delete;
  ~TimedCondition() { end_thread(); }

  void set_clock(const Clock& clock);

  /// From now on a thread works, and waits here now and then: until end_thread() whoever moves the
  /// clock can wait for it. Allocates.
  void begin_thread();
  void end_thread();

  void notify() noexcept;
  /// Waits until the condition is met, which is looked at with the lock held: now, whenever it is
  /// notified, and at that instant. Returns whether it is met.
  template <class Condition>
  bool wait_until(std::unique_lock<std::mutex>& lock, Instant until, const Condition& is_met) {
    if (stepped_ != nullptr) {
      return wait_for_steps(lock, until, is_met);
    }
    return changed_.wait_for(lock, until - clock_->now(), is_met);
  }

 private:
  bool wait_for_steps(std::unique_lock<std::mutex>& lock, Instant until,
                      const std::function<bool()>& is_met);
  void look_again() noexcept override;

  const Clock* clock_ = nullptr;
  const SteppedClock* stepped_ = nullptr;  // the same, if it is one
  std::condition_variable changed_;

  // Of a stepped clock alone.
  std::atomic<bool> has_thread_{false};
  std::mutex steps_mutex_;  // of what follows; nothing else is locked while it is held
  std::uint64_t steps_ = 0;
};

}  // namespace enprof
