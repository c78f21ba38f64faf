// Tells apart what may have happened to an energy counter between two readings.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstdint>
#include <optional>

namespace enprof {

/// A counter of microjoules that starts again at zero once it has reached its range.
///
/// Between two readings it may have stepped, once around or not; it may have been reset by its
/// driver; or so much time may have passed that nobody can tell how often it went around. Which of
/// these it was follows from the power that its domain can draw at most:
/// - lapsed: limit × time since the last reading ≥ range;
/// - impossible: the difference, one range added if it is negative, is more than
///   limit × (time since the last reading + kSlack).
/// A reset lands anywhere in the range. That it passes for a step is as unlikely as the latter by
/// the range: 2 in 10 000 at 2 kW, 10 ms and the usual 262 kJ; and it then adds no more than the
/// domain could have drawn.
///
/// Threads: one at a time.
class EnergyCounter {
 public:
  enum class Event : std::uint8_t {
    first,       ///< nothing to compare with yet
    unchanged,   ///< the counter has not stepped since; time goes on counting from `begin`
    step,        ///< `energy` was used between `begin` and `end`
    impossible,  ///< reset: what was used is not known
    lapsed,      ///< too long without a reading: what was used is not known
  };

  struct Change {
    Event event = Event::first;
    Instant begin;  ///< the last step before
    Instant end;    ///< this reading
    Joules energy;  ///< step: what was used; impossible: what it would have been
  };

  /// The counter's value is the energy used modulo `range_uj`, which must not be zero; `limit` is
  /// more than the domain ever draws.
  EnergyCounter(std::uint64_t range_uj, Watts limit) : range_uj_(range_uj), limit_(limit) {}

  /// Takes a reading. Instants must not descend. After an energy in doubt the next begins here.
  Change read(std::uint64_t value_uj, Instant at);
  /// Makes the next reading the first one.
  void forget() { last_.reset(); }

  /// Between readings no longer apart than this, the counter goes around once at most.
  [[nodiscard]] Nanoseconds longest_gap() const;
  [[nodiscard]] Watts limit() const { return limit_; }
  /// When it was last seen to step, or first read; empty before.
  [[nodiscard]] std::optional<Instant> last_step() const;

  /// A reading shows the energy of the counter's latest step, which is up to a step's time old, and
  /// steps of some platforms are several milliseconds apart: a short window may hold the energy of
  /// a longer one.
  static constexpr Nanoseconds kSlack = std::chrono::milliseconds{20};

 private:
  struct Last {
    std::uint64_t value_uj;
    Instant step_at;  // when it was first read with this value
    Instant read_at;  // when it was last read with this value
  };

  std::uint64_t range_uj_;
  Watts limit_;
  std::optional<Last> last_;
};

}  // namespace enprof
