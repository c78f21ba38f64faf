// Reads a counter just when it steps.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "base/sleeper.hpp"
#include "power/counter/counter_input.hpp"
#include "power/counter/step_grid.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace enprof {

/// Learns how far apart a counter's steps are and when the next one is due (StepGrid); sleeps until
/// shortly before that, and polls until the value changes. A value so read is stamped when it came
/// to be, within the time that a read takes; one that is read at any time is up to a step's time
/// old.
///
/// How it is found: at first by polling through a few steps (long ones: with sleeps between, ever
/// shorter from step to step). Then it sleeps until a step may come: two standard deviations
/// before it is expected, less a guard, as a wake-up comes late by a time that varies. The guard
/// shrinks with each wake-up that came in time, and grows four times as much with one that did not,
/// so that one in five does not; most of these are still before the step. A step that was missed is
/// not polled for: the next one is slept for. Where no step is met (a stall, a busy machine, a
/// spent budget) the value is read as it is, and the search begins anew after a few such readings,
/// less and less often while it finds nothing, or nothing that is met again.
///
/// The CPU time that polling takes is bounded: Settings::spin_share and spin_per_reading.
///
/// Threads: one at a time.
class StepLock {
 public:
  struct Settings {
    Nanoseconds period;  ///< what the steps are expected to be apart; the true time is learned
    /// Share of one CPU that polling may take on average; what is left over is kept for the next
    /// readings, kLongestSpin of it at most.
    double spin_share = 0.05;
    /// And no more than this for each reading and kRareShare of the time, so that those that are
    /// not frequent do not search each time where that is in vain.
    Nanoseconds spin_per_reading = Nanoseconds::max();
  };

  struct Reading {
    Result<std::uint64_t> value;
    bool locked = false;   ///< the step was seen
    Instant at;            ///< of the step, in the middle of `width`; of the read, if not locked
    Instant seen;          ///< when the value was read
    Nanoseconds width{0};  ///< between the last read of the old value and the first of the new one
  };

  struct Counts {
    std::uint64_t locked = 0;
    std::uint64_t unlocked = 0;
    std::uint64_t late_wakes = 0;     ///< woken when the step had passed
    std::uint64_t missed_steps = 0;   ///< no step where one was due
    std::uint64_t blurred_steps = 0;  ///< one that was seen through a long pause: no stamp
    std::uint64_t searches = 0;       ///< readings that polled through a period
    Nanoseconds polled{0};            ///< time spent polling
  };

  StepLock(const Settings& settings, const Clock& clock, const Sleeper& sleeper);

  /// Waits for the next step that can still be slept for, and reads the value then: about two
  /// periods at most, and four more (one more, if they are long) where the period is to be learned.
  /// Call it when a reading is wanted: not every step needs to be met.
  [[nodiscard]] Reading read(CounterInput& input);

  /// When to call read() to meet the first step that is not before `due`: shortly before it, where
  /// it can be awaited; else at `due`.
  [[nodiscard]] Instant wake_for(Instant due) noexcept;

  /// Meets a number of steps in a row, to learn what there is to know: the period, and how exactly
  /// a step is seen. False where the counter does not step as expected, or cannot be read. Takes
  /// that many periods and one.
  [[nodiscard]] bool learn(CounterInput& input, std::size_t steps = 8);
  /// Begins again from nothing: the counter was reset, or its driver reloaded.
  void forget_phase();

  [[nodiscard]] bool is_locked() const { return grid_.has_phase(); }
  [[nodiscard]] Nanoseconds period() const { return grid_.period(); }
  [[nodiscard]] const StepGrid& grid() const { return grid_; }
  /// Standard deviation of `at`, as measured so far: the root mean square of width/√12 over locked
  /// readings. What a reading without lock has, period/√12, before the first.
  [[nodiscard]] Nanoseconds stamp_error() const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// Readings a second apart may search each time.
  static constexpr double kRareShare = 0.001;
  /// As much polling may be saved up.
  static constexpr Nanoseconds kLongestSpin = std::chrono::milliseconds{10};

 private:
  struct Step {
    std::uint64_t value;
    Instant at;
    Instant seen;
    Nanoseconds width;
  };

  using Watched = Result<std::optional<Step>>;

  /// Polls until the value changes or time is up (empty then), with pauses between.
  [[nodiscard]] Watched watch(CounterInput& input, Instant until, Nanoseconds pause);
  /// Polls through a period for a step.
  [[nodiscard]] Watched find(CounterInput& input, Instant until);
  /// Finds a step; and learns the period from some, where it is not known.
  [[nodiscard]] Watched search(CounterInput& input, Instant deadline);
  void adapt_guard(bool late);
  /// Sleeps until a step is due.
  [[nodiscard]] Watched meet(CounterInput& input, Instant deadline);
  /// Meets so many steps after the first in a row, and makes a grid of them.
  [[nodiscard]] Watched follow(CounterInput& input, const Step& first, std::size_t steps);
  /// Whether a step was seen clearly enough for a stamp.
  [[nodiscard]] bool is_sharp(const Step& step) const;
  void count_locked(const Step& step);
  [[nodiscard]] Reading read_plainly(CounterInput& input);
  void refill(Instant now);
  void spend(Nanoseconds time);

  Settings settings_;
  const Clock* clock_;
  const Sleeper* sleeper_;

  StepGrid grid_;
  bool knows_period_ = false;        // it is not just what was expected
  Nanoseconds guard_;                // against late wake-ups
  std::optional<Instant> promised_;  // when the step is due that the caller is to be woken for
  unsigned misses_ = 0;              // readings without a step, in a row
  unsigned met_ = 0;                 // readings that met their step, in a row
  unsigned pause_ = 0;               // so many readings more before the next search
  unsigned pauses_ = 0;              // how many it was last time
  double budget_ns_;                 // of polling
  std::optional<Instant> refilled_;
  double squares_ = 0;  // of widths, in ns²
  Counts counts_;
};

}  // namespace enprof
