// How often a source is really read.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// Compares the rate of readings with the one asked for. Only readings that the timer made count:
/// those that somebody asked for between them say nothing about it. Threads: one at a time.
class RateMeter {
 public:
  struct Deviation {
    double asked_hz = 0.0;
    double actual_hz = 0.0;
  };

  /// Begins to count.
  void start(Instant now, Nanoseconds period);
  /// A reading was due and taken, after so many that were left out on purpose. Tells where the rate
  /// was off by more than kTolerance over the last kSpan (five periods, where those are longer):
  /// once for each such span. Readings that were left out were not asked for.
  [[nodiscard]] std::optional<Deviation> tick(Instant now, std::size_t left_out = 0);

  [[nodiscard]] double asked_hz() const;
  /// Over the last whole span, or since the start, or, where nothing has come for longer than a
  /// span, over that time. Empty before the first reading was due.
  [[nodiscard]] std::optional<double> actual_hz(Instant now) const;

  static constexpr Nanoseconds kSpan = std::chrono::seconds{5};
  static constexpr double kTolerance = 0.2;

 private:
  [[nodiscard]] Nanoseconds span() const;
  [[nodiscard]] double rate(Instant now) const;

  Nanoseconds period_{1};
  Instant begin_;               // of the span under way
  std::size_t count_ = 0;       // readings in it
  std::size_t left_out_ = 0;    // of those that would have been due in it
  std::optional<double> last_;  // rate of the span before
};

}  // namespace enprof
