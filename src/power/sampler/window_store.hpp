// The windows that a monitor has collected.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/power/power_monitor.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace enprof {

/// Windows of several domains, in bounded memory however long it goes on.
///
/// Each domain has room for its share of the capacity. Where that is full, neighbours become one
/// window, oldest first, until an eighth is free: a pair is joined where the second begins when the
/// first ends, no edge (keep_edge) lies in them, and they are together no longer than a limit,
/// which doubles once all have been looked at. So no window is far longer than another of its age,
/// energy and covered time stay what they were, and no gap is closed. Only where a domain consists
/// of gaps, so that this frees nothing, the second of a pair moves up to the first, and the gap
/// between them behind both: it stays as long as it was.
///
/// Threads: one at a time.
class WindowStore {
 public:
  /// `domains` has its parents linked. The capacity is that of all domains together.
  explicit WindowStore(const std::vector<Domain>& domains, std::size_t capacity = kCapacity);

  /// False where it is no window: of an unknown domain, empty, or with an energy that is negative
  /// or no number. Such a one is not kept.
  [[nodiscard]] bool add(const EnergyWindow& window);
  /// Something begins or ends here: windows before and after it stay apart. The last kEdges are
  /// heeded.
  void keep_edge(Instant instant);

  /// Those that overlap [begin, end], by begin; to touch it is not enough.
  [[nodiscard]] std::vector<EnergyWindow> between(Instant begin, Instant end) const;
  /// The same, domain after domain: takes less time where others wait.
  [[nodiscard]] std::vector<EnergyWindow> by_domain_between(Instant begin, Instant end) const;
  void forget_before(Instant instant);
  /// Forgets all, and counts energy and peak anew from an instant.
  void clear(Instant origin = {});

  /// Power of the roots over their last windows, as many as make up kPowerSpan, and their energy so
  /// far. Where a root has none, or none of late, power is unknown.
  [[nodiscard]] PowerNow now(Instant instant) const;
  /// The highest power of the roots, as now() gives it after any of their windows; empty before
  /// each has been read for kPowerSpan.
  [[nodiscard]] const std::optional<PeakPower>& peak() const { return peak_; }

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity_of_each() const { return capacity_; }

  /// 8 MB: 44 minutes of one domain at 100 readings a second before the first are joined.
  static constexpr std::size_t kCapacity = 1U << 18U;
  static constexpr std::size_t kEdges = 64;
  /// Power is shown as the mean of so much time: single windows of a stepping counter flicker.
  static constexpr Nanoseconds kPowerSpan = std::chrono::milliseconds{100};
  /// Windows that ended longer ago, or longer than three usual windows, say nothing about now.
  static constexpr Nanoseconds kStale = std::chrono::seconds{1};

 private:
  /// What one domain drew of late.
  struct Recent {
    std::deque<EnergyWindow> windows;
    Nanoseconds stale_after{0};
    bool is_root = false;

    void add(const EnergyWindow& window);
    /// Mean over the windows; empty where they have nothing to say about this instant.
    [[nodiscard]] std::optional<Watts> power(Instant instant) const;
  };
  struct Series {
    std::vector<EnergyWindow> windows;  // by begin
    Nanoseconds longest{0};             // of them: how far back one may begin that still counts
    std::size_t cursor = 0;             // those before it have been looked at in this round
    Nanoseconds limit{0};               // of this round
  };

  [[nodiscard]] std::optional<Watts> total(Instant instant) const;
  void update_peak(Instant instant);
  void compact(Series& series) const;
  /// Joins pairs from the cursor on until no more than `goal` windows are left.
  void sweep(Series& series, std::size_t goal, bool move_gaps) const;
  [[nodiscard]] bool has_edge_in(Instant begin, Instant end) const;

  std::size_t capacity_;        // of each domain
  std::vector<Series> series_;  // by domain
  std::vector<Recent> recent_;  // by domain
  std::deque<Instant> edges_;   // ascending
  Instant origin_;
  Joules energy_;  // of the roots
  std::optional<PeakPower> peak_;
  Instant peak_end_;  // of its last window
};

/// Orders windows by their begins; those that begin together stay as they are.
void sort_by_begin(std::vector<EnergyWindow>& windows);

}  // namespace enprof
