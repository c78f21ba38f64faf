// Reads the power sensors of this machine, on a thread of its own.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_source.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class PerfEvents;
class Sleeper;

/// Where the sensors are. The defaults are the real machine; tests and ENPROF_* variables point
/// elsewhere.
struct PowerEnvironment {
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path procfs_root = "/proc";
  /// How powermetrics is run; empty: `sudo -n /usr/bin/powermetrics -f plist -i 100 --samplers
  /// cpu_power,gpu_power,thermal`.
  std::vector<std::string> powermetrics_command;
  /// NVIDIA's management library, for `nvml`: a path, or a name that the loader looks for.
  std::filesystem::path nvml_library = "libnvidia-ml.so.1";
  std::optional<Watts> tdp;   ///< for `estimate`; else looked up by the CPU's name
  std::optional<Watts> idle;  ///< for `estimate`; else a fraction of the TDP
  const Clock* clock = &monotonic_clock();
  /// Read counters just when they step, so that a reading's instant is known within microseconds;
  /// else whenever they are asked, which costs less and is up to a step's time off.
  bool lock_to_steps = true;
  // For tests. What is null is the real one, if `clock` is; else there is none.
  const Clock* boot_clock = nullptr;  ///< goes on while the machine sleeps
  const Sleeper* sleeper = nullptr;   ///< without one, readings are not locked
  const PerfEvents* perf_events = nullptr;
};

/// Whether one kind of source works on this machine.
struct SourceStatus {
  std::string name;
  bool works = false;
  std::string detail;  ///< what it reads; or why it does not work
  std::string fix;     ///< the command or line that would make it work; may be empty
};

/// A sensor that is there, and that `auto` had to do without, for lack of a right.
struct RefusedSource {
  std::string name;     ///< as PowerMonitor::open takes it
  std::string message;  ///< what was refused
  std::string hint;     ///< the command or line that allows it
};

/// Mean idle power by domain.
struct IdleBaseline {
  struct DomainIdle {
    Watts power;
    std::optional<Watts> spread;  ///< standard deviation between windows; empty below two windows
    std::size_t windows = 0;      ///< that the mean is of
  };
  std::vector<std::optional<DomainIdle>> domains;  ///< in the order of the monitor's domains
  std::optional<BaselineFigure> total;             ///< of the roots; empty where one is missing
};

/// What the monitor knows at this moment.
struct PowerNow {
  std::optional<Watts> total;  ///< of the roots, over their last windows; empty while unknown
  Joules energy_since_start;   ///< of the roots, whole windows only
  std::vector<std::optional<Watts>> by_domain{};  ///< likewise, of each, in the order of domains()
};

/// How often a source is read, and how often in vain.
struct SourceRate {
  std::string source;               ///< its name
  double asked_hz = 0.0;            ///< as often as it can and must be read; 0 before start
  std::optional<double> actual_hz;  ///< over the last seconds; empty while unknown. Less than asked
                                    ///< where readings are left out (PowerMonitor::kCpuShare)
  std::size_t failed_readings = 0;  ///< since start
};

/// How urgently sources are read.
enum class SamplingPriority : std::uint8_t {
  normal,
  realtime,  ///< before everything that is not realtime (SCHED_FIFO); needs a right
};

/// What a baseline does on a machine that is not idle.
enum class BusyMachine : std::uint8_t {
  refuse,   ///< error `busy`
  measure,  ///< all the same
};

/// Reads a set of sources in the background, each on a thread of its own. A source that fails,
/// throws, hangs or vanishes becomes a warning and a gap; the others go on, and it is tried again,
/// after a second, two, four, up to a minute.
/// Memory is bounded however long it runs: windows that pile up are joined with their neighbours,
/// oldest first; their energy stays and no gap is closed.
/// Threads: any thread may call anything but a move; while it runs, a source is touched by its own
/// thread only. A monitor that was moved from may be destroyed or assigned to, no more.
class ENPROF_API PowerMonitor {
 public:
  /// The best sources that work here: the best one that measures the CPUs, in the order rapl,
  /// powermetrics, estimate, and every one that measures something else. Which ones, and why not
  /// better ones, says sources() and the log.
  [[nodiscard]] static Result<PowerMonitor> detect(const PowerEnvironment& environment = {});
  /// By name, see source_names(); or by several names with commas between, a
  /// replay last. Where several measure the same thing it counts once (link_parents).
  [[nodiscard]] static Result<PowerMonitor> open(std::string_view source,
                                                 const PowerEnvironment& environment = {});
  /// Whether a sensor works here: one that measures, so not estimate. Only reads, and takes at most
  /// two seconds: a sensor that has not answered by then does not work.
  [[nodiscard]] static bool is_available(const PowerEnvironment& environment = {});
  /// What `open` would find, for each kind of source that this machine might have.
  /// Only reads; takes milliseconds.
  [[nodiscard]] static std::vector<SourceStatus> survey(const PowerEnvironment& environment = {});
  /// The names that `open` takes, for messages.
  [[nodiscard]] static std::string source_names();

  /// A monitor over the caller's own sources. No sources: a monitor that measures nothing. The
  /// clock, which the sources should share, lives longer than the monitor, and so does the sleeper,
  /// which lets that clock's time pass; null: real time passes. How busy the machine is, is read in
  /// `procfs_root`.
  explicit PowerMonitor(std::vector<std::unique_ptr<PowerSource>> sources,
                        const Clock& clock = monotonic_clock(),
                        const std::filesystem::path& procfs_root = "/proc",
                        const Sleeper* sleeper = nullptr);
  PowerMonitor(PowerMonitor&& other) noexcept;
  PowerMonitor& operator=(PowerMonitor&& other) noexcept;
  ~PowerMonitor();  ///< stops it

  /// The domains of all sources together, parents linked. Never changes. Where two sources give one
  /// name, the second's is put before it: "estimate:cpu".
  [[nodiscard]] const std::vector<Domain>& domains() const noexcept;
  /// One line a source, "rapl: …"; then, where a better one was passed over, "not rapl: " and why.
  [[nodiscard]] std::vector<std::string> sources() const;
  /// The sensors that `auto` may not read here. Each is a warning, too: sensor_refused. Never
  /// changes: to try again, open another monitor.
  [[nodiscard]] const std::vector<RefusedSource>& refused_sources() const noexcept;

  /// Begins to read, every `interval`, or as often as a source can and must be read. Without an
  /// interval: every kDefaultInterval; but where that takes more than kCpuShare of a CPU, a source
  /// that counts on (PowerSource::counts_on) is read less often, down to a tenth. Forgets
  /// windows, energy and warnings of an earlier session; keeps the baseline. Returns once all
  /// sources have begun; where some of several do not, that is a warning, and they are tried again.
  /// A realtime priority that is refused is a warning too. Errors: already_running;
  /// invalid_argument; unavailable, where a source hangs; the source's own, where none begins.
  [[nodiscard]] Result<void> start(std::optional<Nanoseconds> interval = std::nullopt,
                                   SamplingPriority priority = SamplingPriority::normal);
  /// Takes a last reading and ends; windows and warnings remain. Does nothing where it does not
  /// run. A source that hangs for two seconds is left behind with its thread.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;

  /// Takes a reading of each source now and returns when their windows are in: makes an edge at the
  /// begin or end of what is to be measured. Returns at once where it does not run, and after two
  /// seconds, with a warning, where a source hangs.
  void sync();

  /// The windows that overlap [begin, end] (to touch it is not enough), by begin. Domains index
  /// domains().
  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const;
  /// What the sensors said beside energy in [begin, end], by time. Domains index domains(). Where
  /// they pile up, every second of the older ones is dropped.
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const;
  /// Frees the windows that ended, and the readings that were taken, before this.
  void forget_before(Instant instant);
  [[nodiscard]] PowerNow now() const;
  /// The highest power of the roots since start, as now() gives it, with that of each domain at the
  /// time. `at` is since start. Empty before 100 ms of readings.
  [[nodiscard]] std::optional<PeakPower> peak() const;
  /// How often each source is read.
  [[nodiscard]] std::vector<SourceRate> rates() const;

  /// What went wrong since start, or since an instant, each once; what went wrong before and lasts
  /// is in it too. Codes: sensor_refused, sensor_not_started, sensor_retried (failed readings, with
  /// their number), sensor_gone, sensor_restarted (it came back), sensor_stalled, source_ended (a
  /// replay), invalid_windows, rate_deviation (more than 20 % over 5 s), realtime_refused,
  /// recording_failed, sampler_failed; of energy counters, counter_reset, counter_jumped,
  /// counter_lapsed, counter_stalled, counter_stopped, counter_not_locked; gpus_changed;
  /// gauge_mismatch (a battery's). The log
  /// hears of each at once, then at most once a minute.
  [[nodiscard]] std::vector<Warning> warnings() const;
  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;

  /// Measures for this long, blocking, then keeps the result as baseline(). Ends early where a stop
  /// is requested. Errors: invalid_argument; not_running; cancelled; unavailable, where no window
  /// came; busy, where the machine's CPUs worked for more than kIdleShare of that time.
  /// Where their times cannot be read, or duration is too short to tell, it is taken for idle.
  [[nodiscard]] Result<IdleBaseline> measure_idle_baseline(Nanoseconds duration,
                                                           const std::stop_token& stop = {},
                                                           BusyMachine busy = BusyMachine::refuse);
  /// The last one measured; empty before.
  [[nodiscard]] std::optional<IdleBaseline> baseline() const;

  /// Writes each window from now on, until stop(), to a file that `replay:FILE` reads; times from
  /// start(). A file that cannot be written any more is a warning, and so is one that takes nothing
  /// for too long: no sensor waits for it, and stop() for two seconds. Errors: those of the file;
  /// unavailable, without a thread.
  [[nodiscard]] Result<void> record_to(const std::filesystem::path& path);

  static constexpr Nanoseconds kDefaultInterval = std::chrono::milliseconds{10};
  /// Of one CPU, at most, for reading one source that counts on, where nobody asked for an
  /// interval.
  static constexpr double kCpuShare = 0.0015;
  /// 0–1, of the time of all CPUs: a machine that works for more of it is not idle.
  static constexpr double kIdleShare = 0.10;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
