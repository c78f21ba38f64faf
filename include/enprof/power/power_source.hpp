// The interface of a sensor. Implement it to teach enprof a new one.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/sensor_reading.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// How a poll went.
enum class PollOutcome : std::uint8_t {
  ok,       ///< windows were appended, or nothing new was to be had yet
  retry,    ///< this reading failed; the next may succeed. The time until then is a gap
  gone,     ///< the sensor is lost: nothing more comes before it has been started again
  stopped,  ///< the source ended on purpose: the end of a replay
};

/// Something that went wrong with a sensor and has a name of its own: a counter that was reset.
struct Incident {
  std::string code;  ///< that of the warning: counter_reset
  Error error;
};

struct Poll {
  PollOutcome outcome = PollOutcome::ok;
  Error error;  ///< what went wrong, where outcome is retry or gone
  /// What else was found, whatever the outcome. Each code becomes one warning, with their number.
  std::vector<Incident> incidents;
};

/// A sensor, or several of one kind.
/// Threads: one at a time; while the monitor runs, it calls start, poll and take_readings from one
/// thread, which it keeps for this source: a call may take its time, or wait for a counter's step.
class ENPROF_API PowerSource {
 public:
  PowerSource() = default;
  PowerSource(const PowerSource&) = delete;
  PowerSource& operator=(const PowerSource&) = delete;
  virtual ~PowerSource() = default;

  /// As --power names it: rapl, estimate, …
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// One line for people: what is read and how good it is.
  [[nodiscard]] virtual std::string description() const = 0;
  /// Fixed for the source's life. Window domains are indices into this list.
  [[nodiscard]] virtual std::span<const Domain> domains() const noexcept = 0;
  /// How often a poll makes sense at most.
  [[nodiscard]] virtual Nanoseconds shortest_interval() const noexcept = 0;
  /// How often a poll is needed at least, lest something be lost: a counter must be read before it
  /// has gone around twice.
  [[nodiscard]] virtual Nanoseconds longest_interval() const noexcept { return Nanoseconds::max(); }

  /// Whether the hardware counts on between two polls, so that one that is left out costs
  /// resolution and no energy. The monitor may then poll less often, to bound what reading costs.
  [[nodiscard]] virtual bool counts_on() const noexcept { return false; }

  /// When to call for the poll that is due then: at once, or a little later where a counter's step
  /// is to be met, so that one sleep does for both. Asked by the thread that polls, after each
  /// poll.
  [[nodiscard]] virtual Instant wake_for(Instant due) noexcept { return due; }

  /// Takes the first reading; windows begin here. Called again after the monitor stopped, and, as
  /// long as it runs, after a start that failed or a poll that said `gone`, ever more rarely.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Appends the windows that ended since the last poll. A domain that could not be read appends
  /// nothing: absent is never zero. Windows of one domain ascend and do not overlap. An exception
  /// counts as `gone`.
  [[nodiscard]] virtual Poll poll(std::vector<EnergyWindow>& windows) = 0;
  /// Appends what the last poll learned beside energy: utilization, clocks, temperature. Called
  /// after each poll. Most sources have nothing to say.
  virtual void take_readings(std::vector<SensorReading>& readings) { static_cast<void>(readings); }
  /// Lets go of what start took: a process, a device. Called after the last poll, by the thread
  /// that polled. Most sources hold nothing.
  virtual void stop() {}
};

}  // namespace enprof
