// Energy and power channels of Linux's hwmon tree.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/sleeper.hpp"
#include "base/suspend_watch.hpp"
#include "power/counter/counter_file.hpp"
#include "power/counter/energy_counter.hpp"
#include "power/counter/power_integrator.hpp"
#include "power/counter/step_lock.hpp"
#include "power/hwmon/hwmon_channels.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads what find_hwmon_channels finds: counters from step to step, locked to it where they have
/// a step that can be learned; powers integrated, means as means.
///
/// A reading that fails yields no window and `retry`; so does a GPU, a socket or a machine that is
/// reported to draw nothing. The source is `gone` once every file has been missing for a second.
class HwmonSource final : public PowerSource {
 public:
  enum class Which : bool {
    all,
    gpus,  ///< without what other sources measure better, or what sees the whole machine but slowly
  };

  /// Errors: those of find_hwmon_channels; not_found, where gpus are asked for and there is no GPU.
  [[nodiscard]] static Result<std::unique_ptr<HwmonSource>> open(
      const PowerEnvironment& environment) {
    return open(environment, Which::all);
  }
  [[nodiscard]] static Result<std::unique_ptr<HwmonSource>> open(
      const PowerEnvironment& environment, Which which);

  [[nodiscard]] std::string_view name() const noexcept override { return "hwmon"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] std::vector<Incident> faults() const override;
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kPoll; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override;
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  static constexpr Nanoseconds kPoll = std::chrono::milliseconds{20};
  /// Energy registers of processors and cards are renewed about every millisecond.
  static constexpr Nanoseconds kStep = std::chrono::milliseconds{1};
  static constexpr Watts kPartLimit = kHwmonPartLimit;
  static constexpr Watts kMachineLimit = kHwmonMachineLimit;
  /// So long must all files have been missing before the source gives up.
  static constexpr Nanoseconds kLostAfter = std::chrono::seconds{1};

 private:
  struct Channel {
    HwmonChannel what;
    std::unique_ptr<CounterFile> file;  // counters only
    std::optional<EnergyCounter> counter;
    std::optional<StepLock> lock;  // empty where its step could not be learned
    PowerIntegrator integrator;
    bool missing = false;
  };

  HwmonSource(HwmonChannels found, const PowerEnvironment& environment);

  void read(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void read_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void read_power_of(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void fail(Channel& channel, Poll& poll, Error error);
  void notice_sleep();

  std::vector<Domain> domains_;
  std::vector<Channel> channels_;  // in the order of the domains
  std::vector<std::string> notes_;
  std::vector<HwmonFault> faults_;
  const Clock* clock_;
  const Sleeper* sleeper_;  // null: readings are not locked
  SuspendWatch suspend_;
  std::optional<Instant> lost_since_;  // all files have been missing since
};

}  // namespace enprof
