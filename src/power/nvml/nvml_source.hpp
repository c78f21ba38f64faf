// NVIDIA GPUs through the driver's management library.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/sleeper.hpp"
#include "base/suspend_watch.hpp"
#include "power/counter/energy_counter.hpp"
#include "power/counter/power_integrator.hpp"
#include "power/counter/step_lock.hpp"
#include "power/nvml/nvml_devices.hpp"
#include "power/nvml/nvml_input.hpp"
#include "power/nvml/nvml_library.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads every GPU that NVML can measure (find_nvml_devices), and beside its energy how busy, fast
/// and hot it is.
///
/// - A GPU with an energy counter: a window goes from one step of the counter to a later one. Where
///   all domains have counters, a poll waits for their next steps (StepLock), which come 20–100 ms
///   apart, and stamps them when they came to be. Where one has none, that cannot be waited for:
///   all are read as often as polled, and a step is up to kPoll old.
/// - Else windows are integrated from power (PowerIntegrator), from one renewal of the driver's
/// value
///   to the next; or are means over a second, where the driver has nothing better.
///
/// A reading that fails, or says that a board runs on nothing, yields no window and `retry`. A GPU
/// that is lost stays so until the next start(); the source is `gone` when all are. A GPU that is
/// added meanwhile is told of once, and not measured.
class NvmlSource final : public PowerSource {
 public:
  /// Loads the library and reads every sensor once. Errors: those of NvmlLibrary::open and
  /// find_nvml_devices.
  [[nodiscard]] static Result<std::unique_ptr<NvmlSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "nvml"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kPoll; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;
  void take_readings(std::vector<SensorReading>& readings) override;

  /// The energy counter steps every 20–100 ms, and power values are renewed as often (arXiv
  /// 2312.02741 measured it on 70 GPUs). A call may take 2 ms.
  static constexpr Nanoseconds kPoll = std::chrono::milliseconds{20};
  static constexpr Nanoseconds kStep = std::chrono::milliseconds{100};
  /// Over so long nvmlDeviceGetPowerUsage takes its mean, where it takes one.
  static constexpr Nanoseconds kAveraging = std::chrono::seconds{1};
  /// More than a GPU draws, and than a module does: 1.4 kW and 2.9 kW are the largest limits seen.
  static constexpr Watts kGpuLimit{5'000};
  static constexpr Watts kModuleLimit{10'000};
  /// A GPU always draws something: a counter that does not step for so long stalls.
  static constexpr Nanoseconds kStall = std::chrono::seconds{2};
  /// Utilization is a mean over 1/6 s at least; reading the rest more often costs calls.
  static constexpr Nanoseconds kReadingsEvery = std::chrono::milliseconds{200};
  static constexpr Nanoseconds kCountEvery = std::chrono::seconds{5};
  /// So long a counter's next step is waited for before it is read without one.
  static constexpr Nanoseconds kPatience = std::chrono::seconds{1};

 private:
  struct Channel {
    NvmlChannel what;
    std::unique_ptr<NvmlInput> input;
    std::optional<EnergyCounter> counter;  // else the integrator is used
    std::optional<StepLock> lock;          // empty where readings are not locked
    PowerIntegrator integrator;
    Instant met;   // the last step that was met
    Instant turn;  // when it was last tried to meet one
    std::optional<Error> lost;
  };
  struct Gpu {
    NvmlGpu what;
    unsigned unsupported = 0;  // bit by SensorQuantity: this one it does not know
  };

  NvmlSource(std::unique_ptr<NvmlLibrary> library, NvmlDevices devices,
             const PowerEnvironment& environment);

  void find_again();
  void wait_for_first_steps(std::vector<std::size_t> waiting,
                            const std::vector<std::uint64_t>& first);
  void poll_steps(Poll& poll, std::vector<EnergyWindow>& windows);
  void meet(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  [[nodiscard]] bool is_soon_met(const Channel& channel, Instant seen) const;
  [[nodiscard]] static Instant foretold(const Channel& channel, Instant instant, bool after);
  void read_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void count(std::size_t index, std::uint64_t value, Instant at, Instant seen, Poll& poll,
             std::vector<EnergyWindow>& windows);
  void read_power(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  [[nodiscard]] Error failed(Channel& channel, nvml::Return result) const;
  void check_count(Poll& poll);
  void notice_sleep();

  std::unique_ptr<NvmlLibrary> library_;  // first: handles are valid while it lives
  const Clock* clock_;
  const Sleeper* sleeper_;  // null: readings are not locked
  SuspendWatch suspend_;
  unsigned count_;
  bool count_changed_ = false;
  std::vector<Domain> domains_;
  std::vector<Channel> channels_;  // in the order of the domains
  std::vector<Gpu> gpus_;
  std::vector<std::string> notes_;
  bool locks_ = false;  // to the counters' steps
  Instant counted_;
  std::optional<Instant> readings_taken_;
};

}  // namespace enprof
