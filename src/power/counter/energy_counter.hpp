// Tells apart what may have happened to an energy counter between two readings.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// What is known of a counter before it is read.
struct CounterTraits {
  Joules unit{1e-6};        ///< what one count is worth
  std::uint64_t range = 0;  ///< it begins again at zero after so many counts; 0: it never does
  Watts limit{2'000};       ///< more than the domain ever draws
  /// So old a value may be when it is read: a step's time, and several milliseconds on some
  /// platforms. A short window may hold the energy of one that is longer by this.
  Nanoseconds latency = std::chrono::milliseconds{20};
  /// Without a step for so long, it stalls. Empty for a domain that may really draw nothing, such
  /// as a graphics unit that is switched off.
  std::optional<Nanoseconds> stall_after;
  /// More than this between two readings a counter without a range cannot tell either, because
  /// what lies below it wraps. Empty: any amount.
  std::optional<Joules> reach;
};

/// A counter of energy that is read now and then.
///
/// Between two readings it may have stepped; gone around, once or more often; been reset; stalled;
/// or so much time may have passed that nobody can tell. Which of these it was follows from the
/// power that the domain can draw (limit) and, where that leaves several numbers of wraps, from the
/// power that it did draw: of these only one must lie within 4/5 of the lowest and 5/4 of the
/// highest mean power over a second that was seen, and it must have been watched for at least as
/// long as it then was not. What stays in doubt has no energy.
///
/// After a stall, the energy of the whole time is what the counter stepped by, if it went on
/// counting and only did not show it: then its mean power over that time is at least half of what
/// it was before. How the energy was spread within is not known: it is one window. If it is less
/// than half, the counter may have stopped counting, and the time is a gap: a total that lacks
/// energy silently is worse than one that says so.
///
/// A reset lands anywhere in the range. That it passes for a step is as unlikely as what the domain
/// can draw by the range: 2 in 10 000 at 2 kW, 10 ms and 262 kJ; and it then adds no more than
/// that.
///
/// Threads: one at a time.
class EnergyCounter {
 public:
  enum class Outcome : std::uint8_t {
    first,      ///< nothing to compare with yet
    unchanged,  ///< it has not stepped since; time goes on counting from `begin`
    step,       ///< `energy` was used between `begin` and `end`
    wrap,       ///< the same; it went around `wraps` times
    resumed,    ///< the same; it had stalled
    stall,      ///< unchanged for far longer than a step takes; said once a stall
    stopped,    ///< stepped after a stall by so little that it may not have counted meanwhile
    reset,      ///< went back, or its machine slept: what was used is not known
    jump,       ///< went further than the domain can draw, or beyond its range
    lapsed,     ///< not read for so long that it may have gone around any number of times
    failed,     ///< could not be read (failed())
  };
  static constexpr std::size_t kOutcomes = 11;

  struct Change {
    Outcome outcome = Outcome::first;
    Instant begin;                 ///< the last step before
    Instant end;                   ///< this one
    std::optional<Joules> energy;  ///< step, wrap, resumed: what was used
    std::uint64_t wraps = 0;
  };

  explicit EnergyCounter(const CounterTraits& traits) : traits_(traits) {}

  /// Takes a reading: the value, when it came to be (as exactly as is known), and when it was read.
  /// Instants must not descend. After an energy in doubt the next begins here.
  Change read(std::uint64_t value, Instant at, Instant seen);
  Change read(std::uint64_t value, Instant at) { return read(value, at, at); }
  /// Counts a reading that failed.
  void failed() { count(Outcome::failed); }
  /// The machine slept since the last reading: the next one is a reset whatever it says, as a
  /// counter may have lost its value and grown again, and as that time is on no clock of ours.
  void slept() { slept_ = last_.has_value(); }
  /// Makes the next reading the first one, and all numbers zero.
  void forget();

  /// Readings no longer apart than this leave no doubt.
  [[nodiscard]] Nanoseconds longest_gap() const;
  [[nodiscard]] const CounterTraits& traits() const { return traits_; }
  /// When it was last seen to step, or first read; empty before.
  [[nodiscard]] std::optional<Instant> last_step() const;
  [[nodiscard]] bool stalls() const { return stalled_; }
  /// How many readings had this outcome since forget().
  [[nodiscard]] std::uint64_t count_of(Outcome outcome) const {
    return counts_[static_cast<std::size_t>(outcome)];
  }

 private:
  struct Last {
    std::uint64_t value;
    Instant step_at;  // when it came to be
    Instant read_at;  // when it was last read with this value
  };
  /// Mean powers over stretches of a second: what the domain has been seen to draw.
  struct Seen {
    Watts latest, lowest, highest;
    Nanoseconds watched{0};
    Instant since;  // of the stretch under way
    Joules energy;  // in it
  };

  void count(Outcome outcome) { ++counts_[static_cast<std::size_t>(outcome)]; }
  [[nodiscard]] Change compare(std::uint64_t value, Instant at, Instant seen);
  void judge_wrapping(Change& change, std::uint64_t value, Nanoseconds time) const;
  void judge_endless(Change& change, std::uint64_t value, Nanoseconds time) const;
  /// Of `wraps` 0 … most, the one that fits what was seen; empty unless there is just one.
  [[nodiscard]] std::optional<std::uint64_t> wraps_by_rate(Joules energy, std::uint64_t most,
                                                           Nanoseconds time) const;
  [[nodiscard]] Joules energy_of(std::uint64_t counts) const {
    return traits_.unit * static_cast<double>(counts);
  }
  void watch(const Change& change);

  CounterTraits traits_;
  std::optional<Last> last_;
  std::optional<Seen> seen_;
  bool slept_ = false;
  bool stalled_ = false;
  std::array<std::uint64_t, kOutcomes> counts_{};
};

[[nodiscard]] std::string_view to_string(EnergyCounter::Outcome outcome) noexcept;
/// Whether this outcome means that energy was used which nobody knows.
[[nodiscard]] bool is_gap(EnergyCounter::Outcome outcome) noexcept;

}  // namespace enprof
