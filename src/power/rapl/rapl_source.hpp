// RAPL energy counters through Linux's powercap tree, or its perf events.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/suspend_watch.hpp"
#include "power/counter/energy_counter.hpp"
#include "power/counter/step_lock.hpp"
#include "power/rapl/rapl_counters.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads the counters of all packages, cores, uncores, memories and platforms that the machine has.
///
/// A window goes from one step of a counter that was seen to the next. Locked readings
/// (PowerEnvironment::lock_to_steps) are made when the package's counter steps, one package after
/// the other, which takes up to about two steps each; the counters of its memory, cores and uncore
/// step with it and are read right after, once those have stepped too that were seen to come later.
/// Other readings, and those where the step was missed, are stamped right after the value was read.
///
/// What a reading was is told by EnergyCounter; what it cannot tell yields no window and an
/// incident: counter_reset, counter_jumped, counter_lapsed, counter_stopped; counter_stalled while
/// it stands still; counter_not_locked, where most readings of the last second missed the step. A
/// counter that could not be read yields no window and the outcome `retry`; the next good reading
/// makes one window of the whole time only where that is safe. The source is `gone` once every
/// counter has been missing for a second.
class RaplSource final : public PowerSource {
 public:
  /// Opens every counter, reads it once and, where readings are to be locked, watches the first of
  /// each package for some 10 ms. Errors: those of open_rapl_counters.
  [[nodiscard]] static Result<std::unique_ptr<RaplSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "rapl"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kStep; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override;
  [[nodiscard]] bool counts_on() const noexcept override { return true; }
  [[nodiscard]] Instant wake_for(Instant due) noexcept override;
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  /// What became of the readings of one domain since start: for tests and figures.
  [[nodiscard]] const EnergyCounter& counter(std::size_t domain) const {
    return counters_.at(domain).energy;
  }

  /// The counters step this far apart: 2^-10 s (Intel SDM vol. 3, MSR_RAPL_POWER_UNIT; AMD's
  /// alike).
  static constexpr Nanoseconds kStep{976'562};
  /// A counter that stands still for so long is opened anew: its driver may have been reloaded, or
  /// be gone.
  static constexpr Nanoseconds kStandstill = std::chrono::milliseconds{200};
  /// So long must all counters have been missing before the source gives up.
  static constexpr Nanoseconds kLostAfter = std::chrono::seconds{1};

 private:
  struct Counter {
    std::unique_ptr<CounterInput> input;
    EnergyCounter energy;
    std::string place;
    Instant renewed_at;
    bool missing = false;  // at the last reading
    /// It steps so much later than its group's first; empty where it steps in a time of its own.
    std::optional<Nanoseconds> offset;
  };
  /// Counters that step together, read together. The first leads.
  struct Group {
    std::vector<std::size_t> counters;
    std::optional<StepLock> lock;  // empty where readings are not locked
    Nanoseconds lag{0};            // so much later than the first the last of them has stepped
    StepLock::Counts told;         // the lock's counts when they were last judged
  };
  struct Attempt {
    Result<std::uint64_t> value;
    Instant at;
    Instant seen;
    bool at_step = false;  ///< `at` is when the counter stepped
  };

  RaplSource(RaplCounters opened, const PowerEnvironment& environment);

  void make_groups();
  /// Learns how the counters of a group step; where the first does not, they are read plainly.
  void learn(Group& group);
  void learn_offset(Group& group, std::size_t index);
  void read_group(Group& group, Poll& poll, std::vector<EnergyWindow>& windows);
  void wait_until(Instant instant) const;
  [[nodiscard]] Attempt read_plainly(Counter& counter) const;
  static void place(Attempt& attempt, Instant stepped, const Group& group);
  /// Appends the window that a reading ends, or tells why there is none.
  void add_reading(std::size_t index, const Attempt& attempt, Poll& poll,
                   std::vector<EnergyWindow>& windows);
  void renew_if_still(Counter& counter);
  void judge_locks(Poll& poll);
  [[nodiscard]] bool is_lost(Instant now);

  std::vector<Domain> domains_;
  std::vector<Counter> counters_;  // in the order of the domains
  std::vector<Group> groups_;
  std::string way_;
  const Clock* clock_;
  const Sleeper* sleeper_;  // null: no locked readings
  SuspendWatch suspend_;
  Nanoseconds slept_{0};               // before this poll
  std::optional<Instant> lost_since_;  // all counters have been missing since
  std::optional<Instant> judged_at_;   // when the locks were last judged
};

}  // namespace enprof
