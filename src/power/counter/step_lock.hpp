// Reads a counter just when it steps.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "base/sleeper.hpp"
#include "power/counter/counter_input.hpp"
#include "power/counter/read_trust.hpp"
#include "power/counter/step_grid.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {

/// Learns the period of a counter's steps and predicts the next one (StepGrid). It sleeps until
/// shortly before that step, and polls until the value changes. The stamp of such a value is the
/// instant of the step, exact to the time of one read; a value that is read at any other time is up
/// to one step old.
///
/// The steps are found by polling through a few of them (if they are long, with sleeps between the
/// polls that get shorter from step to step). From then on it sleeps until a step may come: two
/// standard deviations before the prediction, minus a guard against late wake-ups. The guard
/// shrinks with each wake-up in time and grows four times as much with each late one, so that one
/// in five is late; most late ones still come before the step. It does not poll for a step that was
/// missed, but sleeps until the next one. If it sees no step (a stall, a busy machine, a spent
/// budget), it reads the value at once. After a few such readings it searches for the steps again,
/// and does so less and less often while it finds none, or none that later readings confirm.
///
/// The CPU time of polling is limited: Settings::spin_share and spin_per_reading.
///
/// Threads: one at a time.
class StepLock {
 public:
  struct Settings {
    Nanoseconds period;  ///< the expected time between steps; the true one is learned
    /// So far the true one may be from that, as a part of it. Empty: anything. Where it is known,
    /// it tells how many steps were missed between two that were seen; a busy machine hides most of
    /// them.
    std::optional<double> period_tolerance{};
    /// The share of one CPU that polling may take on average. Unused time is saved for later
    /// readings, up to kLongestSpin.
    double spin_share = 0.05;
    /// Polling may also take at most this for each reading plus kRareShare of the time, so that
    /// rare readings do not search each time without success.
    Nanoseconds spin_per_reading = Nanoseconds::max();
    /// Is told what each read took; outlives the lock. Null: nobody is.
    ReadTrust* trust = nullptr;
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
    std::uint64_t late_wakes = 0;     ///< woken after the step
    std::uint64_t missed_steps = 0;   ///< no step where one was due
    std::uint64_t blurred_steps = 0;  ///< seen only within a long pause between polls: no stamp
    std::uint64_t searches = 0;       ///< readings that polled through a period
    Nanoseconds polled{0};            ///< time spent polling
  };

  StepLock(const Settings& settings, const Clock& clock, const Sleeper& sleeper);

  /// Waits for the next step that it can still sleep for, and reads the value then. This takes
  /// about two periods at most, and four more (one more for long periods) if the period must be
  /// learned. Call it when a reading is wanted: it need not see every step.
  [[nodiscard]] Reading read(CounterInput& input);

  /// When to call read() to meet the first step at or after `due`: shortly before the step if it
  /// can be predicted; else at `due`.
  [[nodiscard]] Instant wake_for(Instant due) noexcept;

  /// Sees a number of steps in a row, to learn the period and how exactly a step is seen. False if
  /// the counter does not step as expected, or cannot be read. Takes one period more than `steps`.
  [[nodiscard]] bool learn(CounterInput& input, std::size_t steps = 8);
  /// Others have read the counter: it stepped between these two instants, at most a period apart.
  void add_bracket(Instant from, Instant to);
  /// Others have read the counter, and it did not step where it was expected to.
  void add_miss();
  /// Starts again without a phase: the counter was reset, or its driver reloaded.
  void forget_phase();

  [[nodiscard]] bool is_locked() const { return grid_.has_phase(); }
  [[nodiscard]] Nanoseconds period() const { return grid_.period(); }
  [[nodiscard]] const StepGrid& grid() const { return grid_; }
  /// Standard deviation of `at`, as measured so far: the root mean square of width/√12 over locked
  /// readings. Before the first one, that of an unlocked reading, period/√12.
  [[nodiscard]] Nanoseconds stamp_error() const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// Allows readings one second apart to search each time.
  static constexpr double kRareShare = 0.001;
  /// At most this much polling time can be saved.
  static constexpr Nanoseconds kLongestSpin = std::chrono::milliseconds{10};

 private:
  struct Step {
    std::uint64_t value;
    Instant at;
    Instant seen;
    Nanoseconds width;
  };

  using Watched = Result<std::optional<Step>>;

  /// Polls, with pauses, until the value changes or the time is over (then empty).
  [[nodiscard]] Watched poll_until_change(CounterInput& input, Instant until, Nanoseconds pause);
  /// Polls through a period for a step.
  [[nodiscard]] Watched poll_for_step(CounterInput& input, Instant until);
  /// Finds a step; also learns the period from some steps, if it is not known.
  [[nodiscard]] Watched search(CounterInput& input, Instant deadline);
  void adapt_guard(bool late);
  /// Sleeps until a step is due, and polls for it.
  [[nodiscard]] Watched wait_for_step(CounterInput& input, Instant deadline);
  /// Waits for `steps` steps after the first, in a row, and makes a grid of them.
  [[nodiscard]] Watched follow(CounterInput& input, const Step& first, std::size_t steps);
  [[nodiscard]] std::pair<Nanoseconds, Nanoseconds::rep> period_of(
      const std::vector<Nanoseconds>& apart) const;
  /// Whether a step was seen clearly enough for a stamp.
  [[nodiscard]] bool is_sharp(const Step& step) const;
  void count_locked(const Step& step);
  [[nodiscard]] Reading read_plainly(CounterInput& input);
  void note_read(Instant begin, Instant end);
  void refill(Instant now);
  void spend(Nanoseconds time);

  Settings settings_;
  const Clock* clock_;
  const Sleeper* sleeper_;

  StepGrid grid_;
  bool knows_period_ = false;        // the period was learned, not only expected
  Nanoseconds guard_;                // against late wake-ups
  std::optional<Instant> promised_;  // the step that wake_for() promised
  unsigned misses_ = 0;              // consecutive readings without a step
  unsigned met_ = 0;                 // consecutive readings that met their step
  unsigned pause_ = 0;               // readings left before the next search
  unsigned pauses_ = 0;              // the same at the start of the last pause
  double budget_ns_;                 // for polling
  std::optional<Instant> refilled_;
  double squares_ = 0;  // of widths, in ns²
  Counts counts_;
};

}  // namespace enprof
