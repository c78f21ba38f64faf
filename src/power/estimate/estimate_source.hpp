// Estimates CPU power from utilization, for machines without a readable sensor.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/cpu_times.hpp"
#include "power/estimate/cpu_power_model.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Energy of a window = idle power × its length + (full − idle power) × busy CPU time / CPUs.
///
/// The machine's busy time is counted in ticks of 10 ms, so a window may get more busy time than it
/// is long: the excess counts in the next window. So power never exceeds full power, a poll may
/// come at any time, and the sum over windows depends only on the ticks, not on when polls come. A
/// window shorter than a tick is not accurate by itself.
///
/// Some sandboxes show CPU times that never change. This does not mean that the machine is idle:
/// there is no window before the first change, and after kPatience without a change there is a gap.
class EstimateSource final : public PowerSource {
 public:
  /// Errors: those of the CPU's power model, and of reading the machine's CPU times.
  [[nodiscard]] static Result<std::unique_ptr<EstimateSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "estimate"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return {&domain_, 1}; }
  [[nodiscard]] std::optional<Watts> modelled_idle_power(std::size_t) const override {
    return model_.idle;
  }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kInterval; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  /// Ten ticks: a window's utilization is then known to a tenth of a CPU.
  static constexpr Nanoseconds kInterval = std::chrono::milliseconds{100};

 private:
  EstimateSource(std::filesystem::path stat, CpuTimes cpu, CpuPowerModel model, const Clock& clock);

  /// The machine's times may stay unchanged this long: a tick may be late.
  static constexpr Nanoseconds kPatience = 2 * kInterval;

  struct Reading {
    Nanoseconds busy;
    Nanoseconds total;
    Instant at;
  };
  [[nodiscard]] Result<Reading> read() const;

  std::filesystem::path stat_;  // path of the times, for messages
  CpuTimes cpu_;
  CpuPowerModel model_;
  const Clock* clock_;
  Domain domain_;
  std::optional<Reading> last_;
  Instant moved_at_;        // when the times last changed
  bool has_moved_ = false;  // since the start
  Nanoseconds carried_{0};  // busy time that did not fit into the windows so far
};

}  // namespace enprof
