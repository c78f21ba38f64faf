// Finds out what happened to an energy counter between two readings.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// The properties of a counter.
struct CounterTraits {
  Joules unit{1e-6};        ///< the energy of one count
  std::uint64_t range = 0;  ///< it wraps to zero after this many counts; 0: never
  Watts limit{2'000};       ///< more than the domain ever draws
  /// A value may be this old when it is read: a step's time, and several milliseconds on some
  /// platforms. A short window may contain the energy of a window that is longer by this time.
  Nanoseconds latency = std::chrono::milliseconds{20};
  /// After this time without a step, it stalls. Empty for a domain that may really draw no power,
  /// such as a graphics unit that is switched off.
  std::optional<Nanoseconds> stall_after;
  /// The largest energy between two readings that a counter without a range can measure, because a
  /// narrower counter below it wraps. Empty: no limit.
  std::optional<Joules> reach;
};

/// A counter of energy that is read from time to time.
///
/// Between two readings the counter may have stepped; wrapped, once or more often; been reset; or
/// stalled; or the time may be too long to know. The power that the domain can draw (limit) decides
/// which of these it was. If that leaves several numbers of wraps, the power that it did draw
/// decides: exactly one number must lie within 4/5 of the lowest and 5/4 of the highest mean power
/// seen over a second, and the counter must have been watched for at least as long as the time that
/// was not watched. If doubt remains, the energy is unknown.
///
/// After a stall, the difference is the energy of the whole time if the counter kept counting and
/// only did not show it. We assume this if the mean power over that time is at least half of the
/// power before. The distribution within that time is unknown: it is one window. With less than
/// half, the counter may have stopped counting, and the time is a gap: a total that silently lacks
/// energy is worse than one that says so.
///
/// A reset may lead to any value in the range. The probability that it looks like a step is the
/// energy that the domain can draw divided by the range: 2 in 10 000 at 2 kW, 10 ms and 262 kJ; and
/// the error is then at most that energy.
///
/// Threads: one at a time.
class EnergyCounter {
 public:
  enum class Outcome : std::uint8_t {
    first,      ///< there is no earlier reading
    unchanged,  ///< no step yet; the window still begins at `begin`
    step,       ///< `energy` was used between `begin` and `end`
    wrap,       ///< the same; it wrapped `wraps` times
    resumed,    ///< the same, after a stall
    stall,      ///< unchanged for far longer than a step; returned once per stall
    stopped,    ///< the step after a stall is so small that it may not have counted
    reset,      ///< it went back, or the machine slept: the energy is unknown
    jump,       ///< it grew by more than the domain can draw, or beyond its range
    lapsed,     ///< not read for so long that it may have wrapped any number of times
    failed,     ///< it could not be read (failed())
  };
  static constexpr std::size_t kOutcomes = 11;

  struct Change {
    Outcome outcome = Outcome::first;
    Instant begin;                 ///< the step before
    Instant end;                   ///< this one
    std::optional<Joules> energy;  ///< step, wrap, resumed: the energy used
    std::uint64_t wraps = 0;
  };

  explicit EnergyCounter(const CounterTraits& traits) : traits_(traits) {}

  /// Takes a reading: the value, the instant at which the counter got it (as exactly as is known),
  /// and the instant at which it was read. Instants must not descend. After an unknown energy, the
  /// next window begins here.
  Change read(std::uint64_t value, Instant at, Instant seen);
  Change read(std::uint64_t value, Instant at) { return read(value, at, at); }
  /// Counts a reading that failed.
  void failed() { count(Outcome::failed); }
  /// The machine slept since the last reading: the next reading is a reset, because the counter may
  /// have lost its value and grown again, and our clock did not count that time.
  void slept() { slept_ = last_.has_value(); }
  /// Makes the next reading the first one, and all numbers zero.
  void forget();

  /// With readings at most this far apart, the energy is always known.
  [[nodiscard]] Nanoseconds longest_gap() const;
  [[nodiscard]] const CounterTraits& traits() const { return traits_; }
  /// The last step that was seen, or the first reading; empty before that.
  [[nodiscard]] std::optional<Instant> last_step() const;
  [[nodiscard]] bool stalls() const { return stalled_; }
  /// How many readings had this outcome since forget().
  [[nodiscard]] std::uint64_t count_of(Outcome outcome) const {
    return counts_[static_cast<std::size_t>(outcome)];
  }

 private:
  struct Last {
    std::uint64_t value;
    Instant step_at;  // when the counter got this value
    Instant read_at;  // when it was last read with this value
  };
  /// The power that the domain was seen to draw: mean powers over intervals of a second.
  struct Seen {
    Watts latest, lowest, highest;
    Nanoseconds watched{0};
    Instant since;  // begin of the current interval
    Joules energy;  // of the current interval
  };

  void count(Outcome outcome) { ++counts_[static_cast<std::size_t>(outcome)]; }
  [[nodiscard]] Change compare(std::uint64_t value, Instant at, Instant seen);
  void judge_wrapping(Change& change, std::uint64_t value, Nanoseconds time) const;
  void judge_endless(Change& change, std::uint64_t value, Nanoseconds time) const;
  /// The number of wraps, 0 … most, that fits the power seen; empty unless exactly one fits.
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
/// Whether this outcome means that an unknown energy was used.
[[nodiscard]] bool is_gap(EnergyCounter::Outcome outcome) noexcept;

}  // namespace enprof
