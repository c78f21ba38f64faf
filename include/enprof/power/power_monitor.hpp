// Reads the power sensors of this machine in the background.
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
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class BorderReader;
class PerfEvents;
class Sleeper;

/// Where the sensors are. The defaults are those of the real machine; tests and ENPROF_* variables
/// use others.
struct PowerEnvironment {
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path procfs_root = "/proc";
  /// The command that runs powermetrics; empty: `sudo -n /usr/bin/powermetrics -f plist -i 100
  /// --samplers cpu_power,gpu_power,thermal`.
  std::vector<std::string> powermetrics_command;
  /// NVIDIA's management library, for `nvml`: a path, or a name that the loader searches for.
  std::filesystem::path nvml_library = "libnvidia-ml.so.1";
  std::optional<Watts> tdp;   ///< for `estimate`; else looked up by the CPU's name
  std::optional<Watts> idle;  ///< for `estimate`; else a fraction of the TDP
  /// Of sensors that were compared with a better meter: the standard uncertainty of their energy as
  /// a share of it, by the source's name; "" is every source that is not named. Without an entry:
  /// as published, if it is.
  std::map<std::string, double, std::less<>> relative_uncertainty;
  const Clock* clock = &monotonic_clock();
  /// Read counters just when they step, so that the instant of a reading is known within
  /// microseconds. If false, counters are read when a reading is due: this costs less, and the
  /// instant is up to one step off.
  bool lock_to_steps = true;
  // For tests. If null: the real one if `clock` is the real clock; else it is missing.
  const Clock* boot_clock = nullptr;  ///< also counts while the machine sleeps
  const Sleeper* sleeper = nullptr;   ///< without one, readings are not locked to steps
  const PerfEvents* perf_events = nullptr;
};

/// Whether one kind of source works on this machine.
struct SourceStatus {
  std::string name;
  bool works = false;
  std::string detail;  ///< what it reads, or why it does not work
  std::string fix;     ///< the command or line that would make it work; may be empty
  /// Where it works: what is missing from it or cannot be believed, as runs will say.
  std::vector<Warning> warnings{};
};

/// A sensor that exists but that `auto` could not use, because a right is missing.
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
    std::size_t windows = 0;      ///< the number of windows in the mean
  };
  std::vector<std::optional<DomainIdle>> domains;  ///< in the order of the monitor's domains
  std::optional<BaselineFigure> total;             ///< of the roots; empty where one is missing
  Nanoseconds duration{0};                         ///< how long it was measured
  /// 0–1: share of the time of all CPUs in which they were busy meanwhile. Empty if unknown.
  std::optional<double> busy_share{};
};

/// Power at this moment.
struct PowerNow {
  std::optional<Watts> total;  ///< of the roots, over their last windows; empty if unknown
  Joules energy_since_start;   ///< of the roots, whole windows only
  std::vector<std::optional<Watts>> by_domain{};  ///< of each domain, in order of domains()
};

/// Which domains a total may be made of, by what their sensors showed.
struct TrustedDomains {
  /// Those of the monitor, in their order. One that is left out has the scope `unclear`, and what
  /// lies in it is counted instead.
  std::vector<Domain> domains;
  std::vector<Warning> warnings;  ///< what was left out or is missing, and why
};

/// How often a source is read, and how many readings failed.
struct SourceRate {
  std::string source;               ///< its name
  double asked_hz = 0.0;            ///< the rate at which it can and must be read; 0 before start
  std::optional<double> actual_hz;  ///< over the last seconds; empty while unknown. Less than asked
                                    ///< if readings are left out (PowerMonitor::kCpuShare)
  std::size_t failed_readings = 0;  ///< since start
};

/// The scheduling priority of the threads that read sources.
enum class SamplingPriority : std::uint8_t {
  normal,
  realtime,  ///< above everything without realtime priority (SCHED_FIFO); needs a right
};

/// What to do if the machine is not idle when the baseline is measured.
enum class BusyMachine : std::uint8_t {
  refuse,   ///< error `busy`
  measure,  ///< measure anyway
};

/// Reads a set of sources in the background, each on a thread of its own. If a source fails,
/// throws, hangs or vanishes, there is a warning and a gap. The other sources go on, and the failed
/// one is tried again after one second, two, four, up to a minute.
/// Memory is limited however long the monitor runs: when there are too many windows, neighbours are
/// joined, oldest first. Their energy stays the same and no gap is closed.
/// Threads: any thread may call any function but a move. While the monitor runs, only a source's
/// own thread accesses the source. A moved-from monitor may only be destroyed or assigned to.
class ENPROF_API PowerMonitor {
 public:
  /// The best sources that work here: the best one that measures the CPUs, in the order rapl,
  /// powermetrics, estimate, and every one that measures something else. sources() and the log say
  /// which ones, and why better ones do not work.
  [[nodiscard]] static Result<PowerMonitor> detect(const PowerEnvironment& environment = {});
  /// By name, see source_names(); or by several names separated by commas, a replay last. If
  /// several sources measure the same thing, it counts once (link_parents).
  [[nodiscard]] static Result<PowerMonitor> open(std::string_view source,
                                                 const PowerEnvironment& environment = {});
  /// Whether a sensor works here (estimate is not a sensor). Only reads, and takes at most two
  /// seconds: a sensor that has not answered by then counts as not working.
  [[nodiscard]] static bool is_available(const PowerEnvironment& environment = {});
  /// What `open` would find, for each kind of source that this machine may have. Reads the sources
  /// that work for kSurvey, to see what a run with them would warn of.
  [[nodiscard]] static std::vector<SourceStatus> survey(const PowerEnvironment& environment = {});
  /// The names that `open` takes, for messages.
  [[nodiscard]] static std::string source_names();

  /// A monitor over the caller's own sources. Without sources it measures nothing. The clock, which
  /// the sources should share, outlives the monitor, and so does the sleeper, which advances that
  /// clock's time; null: sleeps in real time. The monitor reads in `procfs_root` how busy the
  /// machine is.
  explicit PowerMonitor(std::vector<std::unique_ptr<PowerSource>> sources,
                        const Clock& clock = monotonic_clock(),
                        const std::filesystem::path& procfs_root = "/proc",
                        const Sleeper* sleeper = nullptr);
  PowerMonitor(PowerMonitor&& other) noexcept;
  PowerMonitor& operator=(PowerMonitor&& other) noexcept;
  ~PowerMonitor();  ///< stops it

  /// The domains of all sources together, with parents linked. Never changes. If two sources have a
  /// domain of the same name, the second one's gets its source as a prefix: "estimate:cpu".
  [[nodiscard]] const std::vector<Domain>& domains() const noexcept;
  /// The same, with parents linked as a total of [begin, end] may add them up: a whole that showed
  /// no energy while its parts did, or less than they, is left out. now(), peak() and the idle
  /// baseline leave out the same. Codes of warnings: domain_left_out, domain_stands_still,
  /// whole_below_parts, rails_not_added.
  [[nodiscard]] TrustedDomains trusted_domains(Instant begin, Instant end) const;
  /// The same, of the last seconds.
  [[nodiscard]] TrustedDomains trusted_domains() const;
  /// One line a source, "rapl: …"; then, where a better one was passed over, "not rapl: " and why.
  [[nodiscard]] std::vector<std::string> sources() const;
  /// The sensors that `auto` may not read here. Each one is also a warning, sensor_refused. Never
  /// changes: to try again, open another monitor.
  [[nodiscard]] const std::vector<RefusedSource>& refused_sources() const noexcept;

  /// Begins to read, every `interval`, or as often as a source can and must be read. Without an
  /// interval: every kDefaultInterval; if that takes more than kCpuShare of a CPU, a source that
  /// keeps counting (PowerSource::counts_on) is read less often, down to a tenth. While the thread
  /// of a run reads a counter at its borders (RunScope::at_border), the source's thread collects
  /// what was read, ten times a second; without an interval such readings come every two steps of
  /// the counter, as far as their own share of a CPU allows (docs/sensors.md). Discards windows,
  /// energy and warnings of an earlier session; keeps the baseline. Returns when all sources have
  /// started. If some of several sources do not start, there is a warning, and they are tried
  /// again; a refused realtime priority is a warning too. Errors: already_running;
  /// invalid_argument; unavailable if a source hangs; the source's own error if no source starts.
  [[nodiscard]] Result<void> start(std::optional<Nanoseconds> interval = std::nullopt,
                                   SamplingPriority priority = SamplingPriority::normal);
  /// Takes a last reading and ends; windows and warnings remain. Does nothing if it is not running.
  /// A source that hangs for two seconds is left behind with its thread.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;

  /// Reads each source now and returns when the windows have arrived: this makes an edge at the
  /// begin or end of a measurement. Returns at once if the monitor is not running, and after two
  /// seconds, with a warning, if a source hangs.
  void sync();
  /// Waits until each source has given a window that begins at this instant or later, which shows
  /// what was drawn after it. Waits kLongestWaitForWindows at most, and not for sources that take
  /// longer for two windows or have given none of late. Returns at once if the monitor is not
  /// running.
  void wait_for_windows_after(Instant instant);
  static constexpr Nanoseconds kLongestWaitForWindows = std::chrono::milliseconds{300};

  /// The windows that overlap [begin, end] (touching is not enough): a list for each of domains().
  [[nodiscard]] WindowsByDomain windows(Instant begin, Instant end) const;
  /// Readings other than energy in [begin, end], by time. Their domains are indices into domains().
  /// When there are too many, every second one of the older readings is dropped.
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const;
  /// Frees the windows that ended, and the readings taken, before an instant.
  void forget_before(Instant instant);
  [[nodiscard]] PowerNow now() const;
  /// The highest power of the roots since start, as now() gives it, with the power of each domain
  /// at that time. `at` is since start. Empty during the first 100 ms of readings.
  [[nodiscard]] std::optional<PeakPower> peak() const;
  /// How often each source is read.
  [[nodiscard]] std::vector<SourceRate> rates() const;
  /// With these the thread of a run reads counters itself: see RunScope::at_border. Never changes.
  [[nodiscard]] std::vector<std::shared_ptr<BorderReader>> border_readers() const;

  /// What went wrong since start, or since an instant, each problem once; includes earlier problems
  /// that persist. Codes: sensor_refused, sensor_not_started, sensor_retried (failed readings, with
  /// their number), sensor_gone, sensor_restarted (it came back), sensor_stalled, source_ended (a
  /// replay), invalid_windows, rate_deviation (more than 20 % over 5 s), realtime_refused,
  /// recording_failed, sampler_failed; of energy counters, counter_reset, counter_jumped,
  /// counter_lapsed, counter_stalled, counter_stopped, counter_not_locked, counter_slow;
  /// gpus_changed; gauge_mismatch (a battery's). Each is logged at once, then at most once a
  /// minute.
  [[nodiscard]] std::vector<Warning> warnings() const;
  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;

  /// Measures for this long, blocking, and keeps the result as baseline(). Ends early if a stop is
  /// requested. Errors: invalid_argument; not_running; cancelled; unavailable if there was no
  /// window; busy if the machine's CPUs were busy for more than kIdleShare of that time. If their
  /// times cannot be read, or the duration is too short for them, the machine is assumed to be
  /// idle. Of a source with a model (PowerSource::modelled_idle_power) a busy machine's idle power
  /// is the model's: it becomes the baseline, and if all roots have one, there is no error.
  [[nodiscard]] Result<IdleBaseline> measure_idle_baseline(Nanoseconds duration,
                                                           const std::stop_token& stop = {},
                                                           BusyMachine busy = BusyMachine::refuse);
  /// The last measured baseline; empty before the first.
  [[nodiscard]] std::optional<IdleBaseline> baseline() const;

  /// Writes each window from now on, until stop(), to a file that `replay:FILE` reads, with times
  /// since start(). If the file cannot be written any more, or accepts no data for too long, there
  /// is a warning: sensors never wait for it, and stop() waits for two seconds. Errors: those of
  /// the file; unavailable if no thread can be started.
  [[nodiscard]] Result<void> record_to(const std::filesystem::path& path);

  static constexpr Nanoseconds kDefaultInterval = std::chrono::milliseconds{10};
  static constexpr Nanoseconds kSurvey = std::chrono::milliseconds{500};
  /// Of one CPU, at most, for reading one source that counts on, where no caller asked for an
  /// interval.
  static constexpr double kCpuShare = 0.0015;
  /// 0–1, of the time of all CPUs: above this share of busy time, the machine is not idle.
  static constexpr double kIdleShare = 0.10;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
