// The windows that a monitor has collected.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/power/power_monitor.hpp"

#include "power/sampler/domain_trust.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// Windows of several domains, in memory that is bounded for runs of any length.
///
/// Each domain has room for its share of the capacity. When that is full, pairs of neighbours are
/// joined into one window, oldest first, until an eighth is free. A pair is joined if the second
/// begins when the first ends, no edge (keep_edge) lies in them, and together they are no longer
/// than a limit; the limit doubles when all pairs have been visited. So windows of similar age have
/// similar lengths, energy and covered time do not change, and no gap is closed. If that does not
/// free enough, because there are gaps between nearly all windows, a pair with a gap is joined too:
/// the second window moves to the end of the first, and the gap, of the same length, follows both.
///
/// Threads: one at a time.
class WindowStore {
 public:
  /// `domains` must have its parents linked. `capacity`: the number of windows of all domains.
  explicit WindowStore(const std::vector<Domain>& domains, std::size_t capacity = kCapacity);

  /// False, and the window is not added, if it is invalid: its domain is unknown, it has no
  /// duration, or its energy is negative or not finite.
  [[nodiscard]] bool add(const EnergyWindow& window);
  /// Windows before this instant are not joined with windows after it: a run begins or ends here.
  /// Only the latest kEdges edges count.
  void keep_edge(Instant instant);

  /// The windows that overlap [begin, end]; those that only touch it are left out.
  [[nodiscard]] WindowsByDomain between(Instant begin, Instant end) const;
  /// The domain's window that begins last; null if it has none. Valid until the next change.
  [[nodiscard]] const EnergyWindow* latest(std::size_t domain) const;
  /// Removes windows that ended before `instant`.
  void forget_before(Instant instant);
  /// Removes all windows, and resets energy and peak. The peak's time is relative to `origin`.
  void clear(Instant origin = {});

  /// Which domains a total of [begin, end] may be made of.
  [[nodiscard]] TrustedDomains trusted_domains(Instant begin, Instant end) const;
  /// What trusted_domains() says by now that it did not say when this was last called.
  [[nodiscard]] std::vector<Warning> take_news();

  /// Power of the roots over their last windows, as many as make up kPowerSpan, and their energy so
  /// far. Roots are those of trusted_domains(), which is asked every kReview. Where a root has no
  /// window, or none of late, power is unknown.
  [[nodiscard]] PowerNow now(Instant instant) const;
  /// The highest power of the roots that now() has given at the end of a window. Empty until each
  /// root's windows span kPowerSpan.
  [[nodiscard]] const std::optional<PeakPower>& peak() const { return peak_; }

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity_of_each() const { return capacity_; }

  /// 8 MB: one domain at 100 readings per second fills it in 44 minutes; then windows are joined.
  static constexpr std::size_t kCapacity = 1U << 18U;
  static constexpr std::size_t kEdges = 64;
  /// Power is shown as the mean over at least this time, because the power of single windows of a
  /// counter that steps fluctuates.
  static constexpr Nanoseconds kPowerSpan = std::chrono::milliseconds{100};
  /// A domain's current power is unknown if its last window ended longer ago than this, and longer
  /// ago than three of the domain's periods.
  static constexpr Nanoseconds kStale = std::chrono::seconds{1};
  /// So often it is asked which domains are to be added up, and of so much time.
  static constexpr Nanoseconds kReview = std::chrono::milliseconds{200};
  static constexpr Nanoseconds kReviewed = std::chrono::seconds{1};

 private:
  /// The latest windows of one domain.
  struct Recent {
    std::deque<EnergyWindow> windows;
    Nanoseconds stale_after{0};
    bool is_root = false;

    void add(const EnergyWindow& window);
    /// The mean power of the windows; empty if there are none or they are stale at `instant`.
    [[nodiscard]] std::optional<Watts> power(Instant instant) const;
  };
  struct Series {
    std::vector<EnergyWindow> windows;  // by begin
    Nanoseconds longest{0};             // of them: how far back one may begin that still counts
    std::size_t cursor = 0;             // those before it have been looked at in this round
    Nanoseconds limit{0};               // of this round
    std::optional<Instant> counted_at;  // the end of the last window with energy

    /// Those that overlap [begin, end], and a few before them.
    [[nodiscard]] std::span<const EnergyWindow> around(Instant begin, Instant end) const;
  };

  /// Decides again which domains are roots, where that is due.
  void review(Instant instant, bool is_due);
  /// Energy of a domain that is a root from now on, since what it lay in has counted last.
  [[nodiscard]] Joules energy_of_heir(std::size_t heir) const;
  [[nodiscard]] std::optional<Watts> power_of_roots(Instant instant) const;
  void update_peak(Instant instant);
  void compact(Series& series) const;
  /// Joins pairs from the cursor on until no more than `goal` windows are left.
  void join_pairs(Series& series, std::size_t goal, bool move_gaps) const;
  [[nodiscard]] bool has_edge_in(Instant begin, Instant end) const;

  std::vector<Domain> domains_;
  TrustedDomains trusted_;     // by the last review
  std::vector<Warning> news_;  // of it, until they are taken
  Instant reviewed_at_;
  std::size_t capacity_;        // of each domain
  std::vector<Series> series_;  // by domain
  std::vector<Recent> recent_;  // by domain
  std::deque<Instant> edges_;   // ascending
  Instant origin_;
  Instant kept_since_;  // windows that ended before are forgotten
  Joules energy_;       // of the roots
  std::optional<PeakPower> peak_;
  Instant peak_end_;  // end of the peak's last window
};

}  // namespace enprof
