// A laptop's battery: what the whole machine draws while it runs on it.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/counter/power_integrator.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The sum over all batteries of <sysfs_root>/class/power_supply: `power_now` (µW), or current_now
/// × voltage_now (µA, µV), while one of them is discharging; one that neither charges nor
/// discharges gives nothing. (Linux, Documentation/ABI/testing/sysfs-class-power. Some drivers give
/// a negative sign to what flows out, as the ABI now has it, others do not: the status says
/// which way it flows.) The batteries' gauges measure every second or more seldom.
///
/// An empty bay (`present` 0) does not count until a battery is put in. A battery that discharges
/// must report its power; other batteries need not.
///
/// On mains, also while a battery supports a weak charger, the batteries do not see all that the
/// machine draws: open() and start() fail, and from the moment when the plug goes in there is a
/// gap, and `retry`, until it is pulled. Every device of class power_supply counts as a charger
/// unless it is a battery or a UPS, or belongs to another device. As a check, the gauges' count
/// (energy_now) is compared with what was integrated: a difference beyond what their resolution
/// explains is reported once, as the incident gauge_mismatch. A battery that is taken out is
/// `gone`.
class BatterySource final : public PowerSource {
 public:
  /// Errors: not_found, where no battery reports its power; unavailable, where the
  /// machine does not run on it.
  [[nodiscard]] static Result<std::unique_ptr<BatterySource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "battery"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return {&domain_, 1}; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kPoll; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  static constexpr Nanoseconds kPoll = std::chrono::milliseconds{100};
  /// What gauges are taken to need for a new value.
  static constexpr Nanoseconds kRenewal = std::chrono::seconds{1};
  static constexpr Watts kLimit{1'000};
  /// The check waits for so many steps of the gauge, and so much time.
  static constexpr int kCheckSteps = 20;
  static constexpr Nanoseconds kCheckAfter = std::chrono::seconds{60};
  /// Gauges and their power readings may differ by so much.
  static constexpr double kCheckMargin = 0.25;

 private:
  struct State;
  /// What the gauges say they hold, and since when it has been compared.
  struct Check {
    Joules held;
    Instant at;
    Joules measured;
    bool reported = false;
  };

  BatterySource(std::vector<std::filesystem::path> batteries,
                std::vector<std::filesystem::path> chargers, const Clock& clock);

  [[nodiscard]] Result<State> read() const;
  [[nodiscard]] std::optional<Error> compare(const State& state, Instant at, Joules measured);

  std::vector<std::filesystem::path> batteries_;
  std::vector<std::filesystem::path> chargers_;
  Domain domain_;
  const Clock* clock_;
  PowerIntegrator integrator_;
  std::optional<Check> check_;
};

}  // namespace enprof
