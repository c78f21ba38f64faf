// Reads a counter just when it steps.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "power/counter_input.hpp"
#include "power/sleeper.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace enprof {

/// Learns how far apart a counter's steps are and when the next one is due; sleeps until shortly
/// before that, and polls until the value changes. A value so read is stamped when it came to be,
/// within the time that a read takes; one that is read at any time is up to a step's time old.
///
/// How it is found: at first by polling through a step's time (steps of milliseconds: with sleeps
/// between, ever shorter from step to step). Then, as a wake-up comes late by a time that varies,
/// it sleeps until a guard before the step; the guard shrinks with each step that was met, and
/// grows twenty times as much where it was missed, so that one wake-up in twenty misses. A step
/// that was missed is not polled for: the next one is slept for. Where no step is met (a stall, a
/// busy machine, a spent budget) the value is read as it is, and the search begins anew after a
/// few such readings, less and less often while it finds nothing.
///
/// The CPU time that polling takes is bounded: Settings::spin_share.
///
/// Threads: one at a time.
class StepLock {
 public:
  struct Settings {
    Nanoseconds period;  ///< what the steps are expected to be apart; the true time is learned
    /// Share of one CPU that polling may take on average; what is left over is kept for the next
    /// readings, kLongestSpin of it at most.
    double spin_share = 0.05;
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
    std::uint64_t late_wakes = 0;    ///< woken when the step had passed
    std::uint64_t missed_steps = 0;  ///< no step where one was due
    Nanoseconds polled{0};           ///< time spent polling
  };

  StepLock(const Settings& settings, const Clock& clock, const Sleeper& sleeper);

  /// Waits for the next step that can still be slept for, about two periods at most (the first time
  /// four), and reads the value then. Call it when a reading is wanted: not every step needs to be
  /// met.
  [[nodiscard]] Reading read(CounterInput& input);

  /// Meets a number of steps in a row, to learn what there is to know: the period, and how exactly
  /// a step is seen. False where the counter does not step as expected, or cannot be read. Takes
  /// that many periods and one.
  [[nodiscard]] bool learn(CounterInput& input, std::size_t steps = 8);
  /// Begins anew: the counter was reset, or its driver reloaded.
  void lose();

  [[nodiscard]] bool is_locked() const { return phase_.has_value(); }
  [[nodiscard]] Nanoseconds period() const;
  /// Standard deviation of `at`, as measured so far: the root mean square of width/√12 over locked
  /// readings. What a reading without lock has, period/√12, before the first.
  [[nodiscard]] Nanoseconds stamp_error() const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// As much polling may be saved up.
  static constexpr Nanoseconds kLongestSpin = std::chrono::milliseconds{10};

 private:
  struct Step {
    std::uint64_t value;
    Instant at;
    Instant seen;
    Nanoseconds width;
  };

  /// Polls until the value changes or time is up: empty then.
  [[nodiscard]] Result<std::optional<Step>> watch(CounterInput& input, Instant until);
  [[nodiscard]] Result<std::optional<Step>> search(CounterInput& input, Instant deadline);
  [[nodiscard]] Result<std::optional<Step>> meet(CounterInput& input, Instant deadline);
  [[nodiscard]] Instant next_step(Instant after) const;
  void met(const Step& step, Instant predicted, Instant woke);
  void missed(std::uint64_t& kind);
  [[nodiscard]] Reading read_plainly(CounterInput& input);
  /// So long before a step polling begins, and so long after it ends.
  [[nodiscard]] Nanoseconds guard() const;
  [[nodiscard]] Nanoseconds gap() const;
  void refill(Instant now);
  void spend(Nanoseconds time);

  Settings settings_;
  const Clock* clock_;
  const Sleeper* sleeper_;

  double period_ns_;
  bool knows_period_ = false;     // it is not just what was expected
  std::optional<Instant> phase_;  // of a step
  unsigned met_ = 0;              // steps since the phase was found
  Nanoseconds uncertainty_;       // of the phase
  Nanoseconds guard_;             // against late wake-ups
  unsigned misses_ = 0;           // readings without a step, in a row
  unsigned pause_ = 0;            // so many readings more before the next search
  unsigned pauses_ = 0;           // how many it was last time
  double budget_ns_;              // of polling
  std::optional<Instant> refilled_;
  double squares_ = 0;  // of widths, in ns²
  Counts counts_;
};

}  // namespace enprof
