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

/// Windows of several domains in the order of their begins. Threads: one at a time.
class WindowStore {
 public:
  /// `domains` has its parents linked.
  explicit WindowStore(const std::vector<Domain>& domains);

  /// False where it is no window: of an unknown domain, empty, or with an energy that is negative
  /// or no number. Such a one is not kept.
  [[nodiscard]] bool add(const EnergyWindow& window);

  /// Those that overlap [begin, end], by begin; to touch it is not enough.
  [[nodiscard]] std::vector<EnergyWindow> between(Instant begin, Instant end) const;
  void forget_before(Instant instant);
  /// Forgets all, and counts energy from zero.
  void clear();

  /// Power of the roots over their last windows, as many as make up kPowerSpan, and their energy so
  /// far. Where a root has none, or none of late, power is unknown.
  [[nodiscard]] PowerNow now(Instant instant) const;

  [[nodiscard]] std::size_t size() const { return windows_.size(); }

  /// Power is shown as the mean of so much time: single windows of a stepping counter flicker.
  static constexpr Nanoseconds kPowerSpan = std::chrono::milliseconds{100};
  /// Windows that ended longer ago, or longer than three usual windows, say nothing about now.
  static constexpr Nanoseconds kStale = std::chrono::seconds{1};

 private:
  struct Recent {
    std::deque<EnergyWindow> windows;
    Nanoseconds stale_after{0};
    bool is_root = false;
  };

  std::deque<EnergyWindow> windows_;  // by begin
  Nanoseconds longest_{0};      // of the windows: how far back one may begin that still counts
  std::vector<Recent> recent_;  // by domain
  Joules energy_;               // of the roots
};

}  // namespace enprof
