// Where the windows of powermetrics lie on our clock.
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
/// next window begins there. We see a sample later than that by however long it took to write, to
/// pass through the pipe and to wake us. So lengths come from elapsed_ns alone, and arrivals only
/// say where the whole chain of windows lies: with C the sum of lengths so far, arrival − C is the
/// chain's origin plus that sample's delay, and the least of it over the last kMemory samples is
/// the best that can be known of the origin. A window's end is origin + C, its begin the end of the
/// one before: windows neither overlap nor leave gaps. What remains is the shortest delay, by which
/// all of them lie late; it is not known, and small against a window.
///
/// A window may be shorter than its sample says, where the one before was placed too late for want
/// of better knowledge, or where we or powermetrics were stopped and a sample tells of time that is
/// told of already. Its power is the sample's; what does not fit is left out. Where less than half
/// of a sample fits it has no window: it tells of another time. So no window ever has more power
/// than a sample had.
///
/// The memory is short so that two clocks that drift apart do no harm. A sample that was lost
/// (break_chain), or an arrival later than `lateness` allows, means that time passed which no
/// sample tells of: a new chain begins, and the time between the two is a gap.
///
/// Threads: one at a time.
class PowermetricsTimeline {
 public:
  struct Place {
    Instant begin;
    Instant end;

    friend bool operator==(const Place&, const Place&) = default;
  };
  /// Where samples that arrived together lie.
  struct Placement {
    /// The first of them does not follow the sample before it at once.
    bool is_new_chain = false;
    /// For each sample; empty where less than half of it fits in.
    std::vector<std::optional<Place>> places;
  };

  /// `lateness`: so late may a sample be and still follow its predecessor at once.
  explicit PowermetricsTimeline(Nanoseconds lateness) : lateness_(lateness) {}

  /// Samples of these lengths, one after the other, were seen at `at`. The last to come tells the
  /// least delay, and so most about all of them.
  [[nodiscard]] Placement place(std::span<const Nanoseconds> lengths, Instant at);
  /// A sample was lost: the next begins a new chain.
  void break_chain();

  static constexpr std::size_t kMemory = 64;

 private:
  Nanoseconds lateness_;
  std::deque<Instant> origins_;  // as the last arrivals of this chain would have it
  Nanoseconds sum_{0};           // C
  std::optional<Instant> last_end_;
  bool chained_ = false;
};

}  // namespace enprof
