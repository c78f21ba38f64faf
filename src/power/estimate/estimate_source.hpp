// CPU power from utilization, where no sensor can be read.
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
/// The machine's busy time is counted in ticks of 10 ms, so a window may seem busier than it has
/// room for: what does not fit counts for the next one. Power so never exceeds the full one, a poll
/// may come at any time, and the sum over windows depends on the ticks alone, not on how polls cut
/// it. A window shorter than a tick says little about itself.
///
/// Some sandboxes show CPU times that never move. They are no idle machine: there is no window
/// before the times have moved, and where they stand still for kPatience, that time is a gap.
class EstimateSource final : public PowerSource {
 public:
  /// Errors: those of the CPU's power model; and where the machine's CPU times cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<EstimateSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "estimate"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return {&domain_, 1}; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kInterval; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

  /// Ten ticks: a window's utilization is then known to a tenth of a CPU.
  static constexpr Nanoseconds kInterval = std::chrono::milliseconds{100};

 private:
  EstimateSource(std::filesystem::path stat, CpuTimes cpu, CpuPowerModel model, const Clock& clock);

  /// For so long the machine's times may stand still: a tick may be late.
  static constexpr Nanoseconds kPatience = 2 * kInterval;

  struct Reading {
    Nanoseconds busy;
    Nanoseconds total;
    Instant at;
  };
  [[nodiscard]] Result<Reading> read() const;

  std::filesystem::path stat_;  // where the times are, for messages
  CpuTimes cpu_;
  CpuPowerModel model_;
  const Clock* clock_;
  Domain domain_;
  std::optional<Reading> last_;
  Instant moved_at_;        // when the times were seen to have moved last
  bool has_moved_ = false;  // since the start
  Nanoseconds carried_{0};  // busy time that did not fit into the windows so far
};

}  // namespace enprof
