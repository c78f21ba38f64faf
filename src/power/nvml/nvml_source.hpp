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

/// Reads every GPU that NVML can measure (find_nvml_devices): its energy, and also its utilization,
/// clocks and temperature.
///
/// - A GPU with an energy counter: a window goes from one step of the counter to a later one. If
///   all domains have counters, a poll waits for their next steps (StepLock), which come 20–100 ms
///   apart, and stamps them with the instant of the step. If one domain has no counter, it cannot
///   wait: all are read at each poll, and a step is up to kPoll old.
/// - Other GPUs: windows are integrated from power (PowerIntegrator), from one update of the
///   driver's value to the next; or they are means over a second, if the driver has nothing better.
///
/// A reading that fails, or reports zero power, gives no window and `retry`. A lost GPU stays lost
/// until the next start(); the source is `gone` when all GPUs are lost. A GPU that is added later
/// is reported once, and not measured.
class NvmlSource final : public PowerSource {
 public:
  /// Loads the library and reads every sensor once. Errors: those of NvmlLibrary::open and
  /// find_nvml_devices.
  [[nodiscard]] static Result<std::unique_ptr<NvmlSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "nvml"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] std::vector<Incident> faults() const override { return faults_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kPoll; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;
  void append_readings(std::vector<SensorReading>& readings) override;

  /// The energy counter steps every 20–100 ms, and power values are updated as often (arXiv
  /// 2312.02741 measured it on 70 GPUs). A call may take 2 ms.
  static constexpr Nanoseconds kPoll = std::chrono::milliseconds{20};
  static constexpr Nanoseconds kStep = std::chrono::milliseconds{100};
  /// The time over which nvmlDeviceGetPowerUsage averages, if it averages.
  /// Of power that is not a mean: GA100 and Hopper GPUs measure 25 ms of each 100 ms
  /// (arXiv:2312.02741). Others measure more of it, which NVML does not tell.
  static constexpr std::uint16_t kUnseenPermille = 750;
  static constexpr Nanoseconds kAveraging = std::chrono::seconds{1};
  /// More than a GPU and a module can draw: the largest known limits are 1.4 kW and 2.9 kW.
  static constexpr Watts kGpuLimit{5'000};
  static constexpr Watts kModuleLimit{10'000};
  /// A GPU always draws power: a counter without a step for this long has stalled.
  static constexpr Nanoseconds kStall = std::chrono::seconds{2};
  /// Utilization is a mean over at least 1/6 s; reading more often would only cost calls.
  static constexpr Nanoseconds kReadingsEvery = std::chrono::milliseconds{200};
  static constexpr Nanoseconds kCountEvery = std::chrono::seconds{5};
  /// How long to wait for a counter's next step before reading it unlocked.
  static constexpr Nanoseconds kPatience = std::chrono::seconds{1};
  /// The slowest counters step every 100 ms.
  static constexpr Nanoseconds kSuspect = 3 * kStep;
  static constexpr Nanoseconds kFrozen = std::chrono::seconds{1};

 private:
  struct Channel {
    NvmlChannel what;
    std::unique_ptr<NvmlInput> input;
    std::optional<EnergyCounter> counter;  // if empty, the integrator is used
    std::optional<StepLock> lock;          // empty if readings are not locked
    PowerIntegrator integrator;
    Instant met;   // the last step that was seen
    Instant turn;  // when we last waited for a step
    std::optional<Error> lost;

    std::uint64_t shown = 0;                // what its counter showed last
    Instant shown_since;                    // the first reading with that
    std::optional<NvmlChannel> power;       // how its power is read instead, once that was needed
    std::optional<PowerIntegrator> beside;  // of that power
    std::vector<EnergyWindow> pending;      // of it, while the counter may yet step
    bool frozen = false;                    // its power is taken instead of its counter
  };
  struct Gpu {
    NvmlGpu what;
    unsigned unsupported = 0;  // a bit for each SensorQuantity that it does not support
  };

  NvmlSource(std::unique_ptr<NvmlLibrary> library, NvmlDevices devices,
             const PowerEnvironment& environment);

  void reset_channels();
  void wait_for_first_steps(std::vector<std::size_t> waiting,
                            const std::vector<std::uint64_t>& first);
  void poll_steps(Poll& poll, std::vector<EnergyWindow>& windows);
  void read_at_step(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  [[nodiscard]] bool is_soon_met(const Channel& channel, Instant seen) const;
  [[nodiscard]] static Instant predicted_step(const Channel& channel, Instant instant, bool after);
  void read_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void count(std::size_t index, std::uint64_t value, Instant at, Instant seen, Poll& poll,
             std::vector<EnergyWindow>& windows);
  void read_power(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  /// Power as an integrator takes it; otherwise the poll gets the reason.
  [[nodiscard]] std::optional<Watts> possible_power(Channel& channel, const NvmlChannel& how,
                                                    Poll& poll);
  /// Notes what a counter shows, whatever becomes of the reading.
  void note(Channel& channel, std::uint64_t value, Instant seen) const;
  /// Reads power beside a counter that has not stepped of late.
  void watch_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  /// Reads power in place of a counter that stands still, until it steps.
  void read_frozen(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows);
  void stop_watching(Channel& channel) const;
  [[nodiscard]] Error failed(Channel& channel, nvml::Return result) const;
  void check_count(Poll& poll);
  void notice_sleep();

  std::unique_ptr<NvmlLibrary> library_;  // first member: it outlives the handles
  const Clock* clock_;
  const Sleeper* sleeper_;  // null: readings are not locked
  SuspendWatch suspend_;
  unsigned count_;
  bool count_changed_ = false;
  std::vector<Domain> domains_;
  std::vector<Channel> channels_;  // in the order of the domains
  std::vector<Gpu> gpus_;
  std::vector<std::string> notes_;
  std::vector<Incident> faults_;
  bool locks_ = false;  // to the counters' steps
  Instant counted_;
  std::optional<Instant> readings_taken_;
};

}  // namespace enprof
