// The interface of a sensor. Implement it to add a sensor to enprof.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/sensor_reading.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class BorderReader;

/// The outcome of a poll.
enum class PollOutcome : std::uint8_t {
  ok,       ///< windows were appended, or there was nothing new yet
  retry,    ///< this reading failed; the next may succeed. The time until then is a gap
  gone,     ///< the sensor is lost: it gives no windows until it is started again
  stopped,  ///< the source ended on purpose: the end of a replay
};

/// A problem of a sensor with a code of its own, such as a counter that was reset.
struct Incident {
  std::string code;  ///< that of the warning: counter_reset
  Error error;
};

struct Poll {
  PollOutcome outcome = PollOutcome::ok;
  Error error;  ///< what went wrong, if outcome is retry or gone
  /// Further problems, with any outcome. Each code becomes one warning, with their number.
  std::vector<Incident> incidents;
  /// PowerSource::faults() is another list than it was before this poll.
  bool faults_changed = false;
};

/// A sensor, or several of one kind.
/// Threads: one at a time. While the monitor runs, it calls start, poll and append_readings from
/// one thread, which serves only this source: a call may take long, or wait for a counter's step.
class ENPROF_API PowerSource {
 public:
  PowerSource() = default;
  PowerSource(const PowerSource&) = delete;
  PowerSource& operator=(const PowerSource&) = delete;
  virtual ~PowerSource() = default;

  /// Its name in --power: rapl, estimate, …
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// One line for people: what it reads and how accurate that is.
  [[nodiscard]] virtual std::string description() const = 0;
  /// Never changes. The domains of windows are indices into this list.
  [[nodiscard]] virtual std::span<const Domain> domains() const noexcept = 0;
  /// What the source cannot measure although it is there, or measures less well than it could: a
  /// socket that cannot be read, a counter that stands still. Each is a warning on every run while
  /// it is in this list. Called when the source was made, after each start, and after each poll
  /// that says that the list has changed.
  [[nodiscard]] virtual std::vector<Incident> faults() const { return {}; }
  /// How often a poll makes sense at most.
  [[nodiscard]] virtual Nanoseconds shortest_interval() const noexcept = 0;
  /// Polling less often than this loses energy: a counter must be read before it has wrapped twice.
  [[nodiscard]] virtual Nanoseconds longest_interval() const noexcept { return Nanoseconds::max(); }

  /// Whether the hardware keeps counting between two polls, so that leaving one out costs
  /// resolution but loses no energy. The monitor may then poll less often, to limit the cost of
  /// reading.
  [[nodiscard]] virtual bool counts_on() const noexcept { return false; }

  /// The idle power that the source's own model gives a domain, so that it is known even while the
  /// machine is busy. Empty for what is measured. Never changes.
  [[nodiscard]] virtual std::optional<Watts> modelled_idle_power(std::size_t domain) const {
    static_cast<void>(domain);
    return std::nullopt;
  }

  /// With these a thread that computes can read the source's counters itself, between two
  /// operations (RunScope::at_border). Never changes. Most sources have none.
  [[nodiscard]] virtual std::vector<std::shared_ptr<BorderReader>> border_readers() { return {}; }
  /// Appends the windows of what was read through those since the last call or poll, without
  /// reading the sensor. Returns their number; of several readers, that of the one with the fewest.
  /// The polling thread calls this instead of a poll that is due, and polls if that was too little.
  [[nodiscard]] virtual std::size_t collect(Poll& poll, std::vector<EnergyWindow>& windows) {
    static_cast<void>(poll);
    static_cast<void>(windows);
    return 0;
  }

  /// The instant at which to call poll() for a poll that is due at `due`: at once, or a little
  /// later so as to meet a counter's step, so that one sleep is enough for both. The polling thread
  /// calls this after each poll.
  [[nodiscard]] virtual Instant wake_for(Instant due) noexcept { return due; }

  /// Takes the first reading; windows begin here. Called again after the monitor was stopped. While
  /// it runs, also called again after a start that failed or a poll that returned `gone`, after
  /// growing pauses.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Appends the windows that ended since the last poll. Appends no window for a domain that could
  /// not be read: absent is never zero. The windows of one domain ascend and do not overlap. An
  /// exception counts as `gone`.
  [[nodiscard]] virtual Poll poll(std::vector<EnergyWindow>& windows) = 0;
  /// Appends what the last poll learned beside energy: utilization, clocks, temperature. Called
  /// after each poll. Most sources append nothing.
  virtual void append_readings(std::vector<SensorReading>& readings) {
    static_cast<void>(readings);
  }
  /// Releases what start() acquired: a process, a device. Called after the last poll, by the thread
  /// that polled. Most sources hold nothing.
  virtual void stop() {}
};

}  // namespace enprof
