// RAPL energy counters through Linux's powercap tree, or its perf events.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/suspend_watch.hpp"
#include "power/counter/border_placer.hpp"
#include "power/counter/border_reader.hpp"
#include "power/counter/energy_counter.hpp"
#include "power/counter/read_trust.hpp"
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
/// A thread that computes can read the counters of each package at the borders of its operations
/// (BorderReader), once the source's own reads have shown that none hangs (ReadTrust). These
/// readings and the source's own are joined in the order of time.
///
/// EnergyCounter classifies each reading; one that it cannot classify yields no window and an
/// incident: counter_reset, counter_jumped, counter_lapsed, counter_stopped; counter_stalled while
/// it stands still; counter_not_locked, where most readings of the last second missed the step;
/// counter_slow, where a read takes too long for the thread that computes, or hung. A counter that
/// could not be read yields no window and the outcome `retry`; the next good reading makes one
/// window of the whole time only where that is safe. The source is `gone` once every counter has
/// been missing for a second.
class RaplSource final : public PowerSource {
 public:
  /// Opens every counter, reads it once and, where readings are to be locked, watches the first of
  /// each package for some 10 ms. Errors: those of open_rapl_counters.
  [[nodiscard]] static Result<std::unique_ptr<RaplSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "rapl"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] std::vector<Incident> faults() const override { return faults_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kStep; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override;
  [[nodiscard]] bool counts_on() const noexcept override { return true; }
  [[nodiscard]] Instant wake_for(Instant due) noexcept override;
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;
  [[nodiscard]] std::vector<std::shared_ptr<BorderReader>> border_readers() override;
  [[nodiscard]] std::size_t collect(Poll& poll, std::vector<EnergyWindow>& windows) override;
  void stop() override;

  /// What became of the readings of one domain since start: for tests and figures.
  [[nodiscard]] const EnergyCounter& counter(std::size_t domain) const {
    return counters_.at(domain).energy;
  }

  /// The counters step this far apart: 2^-10 s (Intel SDM vol. 3, MSR_RAPL_POWER_UNIT; AMD's
  /// alike).
  static constexpr Nanoseconds kStep{976'562};
  /// A counter that stands still for so long is opened again: its driver may have been reloaded or
  /// unloaded.
  static constexpr Nanoseconds kStandstill = std::chrono::milliseconds{200};
  /// So long must all counters have been missing before the source gives up.
  static constexpr Nanoseconds kLostAfter = std::chrono::seconds{1};
  /// For so long ahead the steps must be predicted well, for readings at borders: until they are
  /// collected the next time.
  static constexpr Nanoseconds kAhead = std::chrono::milliseconds{150};

 private:
  struct Counter {
    std::unique_ptr<CounterInput> input;
    EnergyCounter energy;
    std::string place;
    Instant renewed_at;
    bool missing = false;     // at the last reading
    bool unreadable = false;  // since it was opened
    /// It steps so much later than its group's first; empty where it steps in a time of its own.
    std::optional<Nanoseconds> offset;
  };
  /// Counters that step together, read together. The first leads.
  struct Group {
    std::vector<std::size_t> counters;
    ReadTrust trust;               // whether another thread may read them
    std::optional<StepLock> lock;  // empty where readings are not locked; refers to `trust`
    Nanoseconds lag{0};            // so much later than the first the last of them has stepped
    StepLock::Counts judged;       // the lock's counts when they were last judged
    std::shared_ptr<BorderReader> borders;  // null where the first cannot be read on other threads
    BorderPlacer placer;
    Instant read_at;            // when the source itself last read them
    bool is_told_slow = false;  // that the first is slow to read
  };
  struct Attempt {
    Result<std::uint64_t> value;
    Instant at;
    Instant seen;
    bool at_step = false;  ///< `at` is when the counter stepped
    Nanoseconds error{0};  ///< of that; zero: the domain's
  };

  RaplSource(RaplCounters opened, const PowerEnvironment& environment);

  void make_groups();
  /// Learns how the counters of a group step; where the first does not, they are read plainly.
  void learn(Group& group);
  void learn_offset(Group& group, std::size_t index);
  void open_borders(Group& group);
  void note_sleep();
  void read_group(Group& group, Poll& poll, std::vector<EnergyWindow>& windows);
  /// Takes what was read at borders. Returns the number of windows of the group's first.
  std::size_t take_borders(Group& group, Poll& poll, std::vector<EnergyWindow>& windows);
  void add_border(Group& group, const BorderReading& reading, const BorderPlacer::Step& step,
                  Poll& poll, std::vector<EnergyWindow>& windows);
  /// When a counter that steps with its group's first had its last step before a reading; empty if
  /// that is not clear.
  [[nodiscard]] std::optional<Instant> place_with(const Counter& counter, const Group& group,
                                                  const BorderReading& reading,
                                                  const BorderPlacer::Step& step) const;
  void publish_steps();
  void judge_borders(Group& group, Poll& poll);
  void judge_hang(Group& group, Poll& poll);
  /// Tells the readers at borders when this thread reads: if it hangs, they are not to follow.
  void begin_own_read();
  void end_own_read();
  void wait_until(Instant instant) const;
  [[nodiscard]] Attempt read_plainly(Counter& counter, ReadTrust& trust) const;
  static void place(Attempt& attempt, Instant stepped, const Group& group);
  /// Appends the window that a reading ends, or reports why it ends no window.
  void add_reading(std::size_t index, const Attempt& attempt, Poll& poll,
                   std::vector<EnergyWindow>& windows);
  void renew_if_still(Counter& counter);
  /// A counter that could not be read when it was opened can be read now.
  void forget_fault(std::size_t index, Poll& poll);
  void judge_locks(Poll& poll);
  [[nodiscard]] bool is_lost(Instant now);

  std::vector<Domain> domains_;
  std::vector<Counter> counters_;  // in the order of the domains
  std::vector<Group> groups_;
  std::string way_;
  std::vector<Incident> faults_;
  const Clock* clock_;
  const Sleeper* sleeper_;  // null: no locked readings
  SuspendWatch suspend_;
  Nanoseconds slept_{0};               // before this poll
  std::optional<Instant> lost_since_;  // all counters have been missing since
  std::optional<Instant> judged_at_;   // when the locks were last judged
};

}  // namespace enprof
