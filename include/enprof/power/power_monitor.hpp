// Reads the power sensors of this machine, on a thread of its own.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_source.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Where the sensors are. The defaults are the real machine; tests and ENPROF_* variables point
/// elsewhere.
struct PowerEnvironment {
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path procfs_root = "/proc";
  /// NVIDIA's management library, for `nvml`: a path, or a name that the loader looks for.
  std::filesystem::path nvml_library = "libnvidia-ml.so.1";
  std::optional<Watts> tdp;   ///< for `estimate`; else looked up by the CPU's name
  std::optional<Watts> idle;  ///< for `estimate`; else a fraction of the TDP
  const Clock* clock = &monotonic_clock();
};

/// Whether one kind of source works on this machine.
struct SourceStatus {
  std::string name;
  bool works = false;
  std::string detail;  ///< what it reads; or why it does not work
  std::string fix;     ///< the command or line that would make it work; may be empty
};

/// Mean idle power by domain.
struct IdleBaseline {
  struct DomainIdle {
    Watts power;
    std::optional<Watts> spread;  ///< standard deviation between windows; empty below two windows
  };
  std::vector<std::optional<DomainIdle>> domains;  ///< in the order of the monitor's domains
  std::optional<BaselineFigure> total;             ///< of the roots; empty where one is missing
};

/// What the monitor knows at this moment.
struct PowerNow {
  std::optional<Watts> total;  ///< of the roots, over their last windows; empty while unknown
  Joules energy_since_start;   ///< of the roots, whole windows only
};

/// Reads a set of sources in the background. A source that fails, throws, hangs or vanishes becomes
/// a warning and a gap; the others go on. Threads: any thread may call anything but a move; the
/// sources are only touched by the monitor's own thread while it runs. One that was moved from may
/// be destroyed or assigned to, no more.
class ENPROF_API PowerMonitor {
 public:
  /// The best sources that work here, in the order rapl, estimate; which ones, and why not better
  /// ones, says sources() and the log.
  [[nodiscard]] static Result<PowerMonitor> detect(const PowerEnvironment& environment = {});
  /// By name: auto, rapl, estimate, replay:FILE, none.
  [[nodiscard]] static Result<PowerMonitor> open(std::string_view source,
                                                 const PowerEnvironment& environment = {});
  /// What `open` would find, for each kind of source that this machine might have: rapl, estimate.
  /// Only reads; takes milliseconds.
  [[nodiscard]] static std::vector<SourceStatus> survey(const PowerEnvironment& environment = {});
  /// The names that `open` takes, for messages.
  [[nodiscard]] static std::string source_names();

  /// A monitor over the caller's own sources. No sources: a monitor that measures nothing. The
  /// clock, which the sources should share, lives longer than the monitor.
  explicit PowerMonitor(std::vector<std::unique_ptr<PowerSource>> sources,
                        const Clock& clock = monotonic_clock());
  PowerMonitor(PowerMonitor&& other) noexcept;
  PowerMonitor& operator=(PowerMonitor&& other) noexcept;
  ~PowerMonitor();  ///< stops it

  /// The domains of all sources together, parents linked. Never changes. Where two sources give one
  /// name, the second's is put before it: "estimate:cpu".
  [[nodiscard]] const std::vector<Domain>& domains() const noexcept;
  /// One line a source, "rapl: …"; then, where a better one was passed over, "not rapl: " and why.
  [[nodiscard]] std::vector<std::string> sources() const;

  /// Begins to read, every `interval`, or as often as a source can and must be read. Forgets
  /// windows, energy and warnings of an earlier session; keeps the baseline. Returns once all
  /// sources have begun; where some of several do not, that is a warning. Errors: already_running;
  /// invalid_argument; unavailable, where a source hangs; the source's own, where none begins.
  [[nodiscard]] Result<void> start(Nanoseconds interval = kDefaultInterval);
  /// Takes a last reading and ends; windows and warnings remain. Does nothing where it does not
  /// run. A source that hangs for two seconds is left behind with its thread.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;

  /// Takes a reading now and returns when its windows are in: makes an edge at the begin or end of
  /// what is to be measured. Returns at once where it does not run, and after two seconds, with a
  /// warning, where a source hangs.
  void sync();

  /// The windows that overlap [begin, end] (to touch it is not enough), by begin. Domains index
  /// domains().
  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const;
  /// Frees the windows that ended before this.
  void forget_before(Instant instant);
  [[nodiscard]] PowerNow now() const;

  /// What went wrong since start, each once. Codes: sensor_not_started, sensor_retried (failed
  /// readings, with their number), sensor_gone, sensor_stalled, source_ended (a replay),
  /// invalid_windows, recording_failed, sampler_failed.
  [[nodiscard]] std::vector<Warning> warnings() const;

  /// Measures for this long, blocking, then keeps the result as baseline(). `cancel`, where given,
  /// ends it early when set. Errors: invalid_argument; not_running; cancelled; unavailable, where
  /// no window came.
  [[nodiscard]] Result<IdleBaseline> measure_idle_baseline(
      Nanoseconds duration, const std::atomic<bool>* cancel = nullptr);
  /// The last one measured; empty before.
  [[nodiscard]] std::optional<IdleBaseline> baseline() const;

  /// Writes each window from now on, until stop(), to a file that `replay:FILE` reads; times from
  /// start(). A file that cannot be written any more is a warning. Errors: those of the file.
  [[nodiscard]] Result<void> record_to(const std::filesystem::path& path);

  static constexpr Nanoseconds kDefaultInterval = std::chrono::milliseconds{10};

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
