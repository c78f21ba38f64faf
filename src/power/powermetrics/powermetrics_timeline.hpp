// Places powermetrics' windows on our clock.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// Places successive samples on the clock.
///
/// A sample describes the window of length elapsed_ns that ended when powermetrics took it; the
/// next window begins there. We see a sample later than that: it takes time to write it, to pass it
/// through the pipe and to wake us. So lengths come from elapsed_ns alone, and arrivals only say
/// where the chain of windows lies. With C the sum of lengths so far, arrival − C is the chain's
/// origin plus that sample's delay; the smallest value over the last kMemory samples is the best
/// estimate of the origin. The end of a window is origin + C, its begin the end of the one before:
/// windows neither overlap nor leave gaps. An error remains: all windows are late by the shortest
/// delay, which is unknown but small compared with a window.
///
/// A window may be shorter than its sample says: the one before was placed too late because better
/// information was missing, or we or powermetrics were stopped and a sample covers time that
/// another one covers already. The window then has the power of the sample, and the energy of the
/// part that does not fit is left out. A sample of which less than half fits has no window: it
/// belongs to another time. So no window has more power than a sample had.
///
/// The memory is short so that a drift between the two clocks does no harm. After a lost sample
/// (break_chain), or an arrival later than `lateness` allows, some time is covered by no sample: a
/// new chain begins, and the time between the two chains is a gap.
///
/// Threads: one at a time.
class PowermetricsTimeline {
 public:
  struct Place {
    Instant begin;
    Instant end;

    friend bool operator==(const Place&, const Place&) = default;
  };
  /// The places of samples that arrived together.
  struct Placement {
    /// There is a gap before the first of them.
    bool is_new_chain = false;
    /// For each sample; empty if less than half of it fits.
    std::vector<std::optional<Place>> places;
  };

  /// `lateness`: a sample at most this late continues the chain.
  explicit PowermetricsTimeline(Nanoseconds lateness) : lateness_(lateness) {}

  /// Samples of these lengths, one after the other, were seen at `at`. The last one has the
  /// smallest delay, so it says most about the places of all.
  [[nodiscard]] Placement place(std::span<const Nanoseconds> lengths, Instant at);
  /// A sample was lost: the next begins a new chain.
  void break_chain();

  static constexpr std::size_t kMemory = 64;

 private:
  Nanoseconds lateness_;
  std::deque<Instant> origins_;  // estimates from the last arrivals of this chain
  Nanoseconds sum_{0};           // C
  std::optional<Instant> last_end_;
  bool chained_ = false;
};

}  // namespace enprof
