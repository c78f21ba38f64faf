// Measures how often a source is really read.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// Compares the rate of readings with the requested one. Only scheduled readings count, not the
/// ones that a caller requests in between. Threads: one at a time.
class RateMeter {
 public:
  struct Deviation {
    double asked_hz = 0.0;
    double actual_hz = 0.0;
  };

  /// Starts counting.
  void start(Instant now, Nanoseconds period);
  /// Call this after a scheduled reading, with the number of readings before it that were left out
  /// on purpose (these were not requested). Returns a deviation if the rate was off by more than
  /// kTolerance over the last kSpan (five periods if these are longer): once per span.
  [[nodiscard]] std::optional<Deviation> tick(Instant now, std::size_t left_out = 0);

  [[nodiscard]] double asked_hz() const;
  /// The rate over the last whole span, or since the start. If there was no reading for longer than
  /// a span, the rate over that time. Empty before the first reading was due.
  [[nodiscard]] std::optional<double> actual_hz(Instant now) const;

  static constexpr Nanoseconds kSpan = std::chrono::seconds{5};
  static constexpr double kTolerance = 0.2;

 private:
  [[nodiscard]] Nanoseconds span() const;
  [[nodiscard]] double rate(Instant now) const;

  Nanoseconds period_{1};
  Instant begin_;               // of the current span
  std::size_t count_ = 0;       // readings in it
  std::size_t left_out_ = 0;    // readings left out in it
  std::optional<double> last_;  // rate in the previous span
};

}  // namespace enprof
