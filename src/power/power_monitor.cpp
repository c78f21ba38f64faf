#include "enprof/power/power_monitor.hpp"

#include "base/abandonable_thread.hpp"
#include "base/cpu_times.hpp"
#include "base/log.hpp"
#include "base/sleeper.hpp"
#include "base/thread_name.hpp"
#include "power/idle_baseline.hpp"
#include "power/power_sources.hpp"
#include "power/sampler/power_sampler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// How long a sensor may take to say that it is there.
constexpr std::chrono::seconds kAvailablePatience{2};
/// How soon a measurement of the baseline notices that it is cancelled.
constexpr Nanoseconds kCancelPeriod = std::chrono::milliseconds{10};

Error cancelled() {
  return {.code = ErrorCode::cancelled, .message = "The idle baseline was cancelled", .hint = {}};
}

Error not_idle(double share, Nanoseconds duration) {
  return {
      .code = ErrorCode::busy,
      .message = fmt::format("There is no idle baseline: the machine was not idle. Its CPUs "
                             "worked for {:.0f} % of {:g} s; more than {:.0f} % is not idle",
                             100.0 * share, seconds(duration), 100.0 * PowerMonitor::kIdleShare),
      .hint =
          "See what runs: top. Stop it and try again, skip the baseline with --baseline-s "
          "0, or measure all the same with --baseline-force"};
}

Error not_running() {
  return {.code = ErrorCode::not_running,
          .message = "The idle baseline needs a running PowerMonitor",
          .hint = "Call start() first, and stop() not before the baseline is there."};
}

}  // namespace

class PowerMonitor::Impl {
 public:
  Impl(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
       const std::filesystem::path& procfs_root, const Sleeper* time)
      : sampler(std::make_shared<PowerSampler>(std::move(sources), clock)),
        sleeper(time),
        cpu(procfs_root) {}

  /// Lets time pass on the monitor's clock, or really where that has no sleeper. Ends early where a
  /// stop is requested or the sampler ends.
  void wait(Nanoseconds duration, const std::stop_token& stop) const {
    const Clock& clock = sleeper != nullptr ? sampler->clock() : monotonic_clock();
    const Sleeper& time = sleeper != nullptr ? *sleeper : monotonic_sleeper();
    const Instant end = clock.now() + duration;
    for (Instant now = clock.now(); now < end && !stop.stop_requested() && sampler->is_running();
         now = clock.now()) {
      time.sleep_until(std::min(end, now + kCancelPeriod));
    }
  }

  std::shared_ptr<PowerSampler> sampler;  // shared with its threads: see PowerSampler
  const Sleeper* sleeper;
  CpuTimes cpu;
  std::vector<std::string> notes;      // how the sources were chosen
  std::vector<RefusedSource> refused;  // likewise
  std::mutex mutex;                    // guards what follows
  std::optional<IdleBaseline> baseline;
};

Result<PowerMonitor> PowerMonitor::detect(const PowerEnvironment& environment) {
  return open("auto", environment);
}

Result<PowerMonitor> PowerMonitor::open(std::string_view source,
                                        const PowerEnvironment& environment) {
  auto opened = open_sources(source, environment);
  if (!opened) {
    return std::unexpected(std::move(opened.error()));
  }
  PowerMonitor monitor(std::move(opened->sources), *environment.clock, environment.procfs_root);
  monitor.impl_->notes = std::move(opened->notes);
  monitor.impl_->refused = std::move(opened->refused);
  return monitor;
}

bool PowerMonitor::is_available(const PowerEnvironment& environment) {
  // On a thread that may be left behind: a driver that hangs, hangs whoever opens it. What the
  // caller's pointers point to may be gone by then.
  PowerEnvironment ours = environment;
  ours.clock = &monotonic_clock();
  ours.boot_clock = nullptr;
  ours.sleeper = nullptr;
  ours.perf_events = nullptr;
  const auto is_there = std::make_shared<bool>(false);
  auto thread = AbandonableThread::start("The thread that looks for sensors",
                                         [ours = std::move(ours), is_there] {
                                           name_this_thread("enprof-survey");
                                           *is_there = is_source_available(ours);
                                         });
  if (!thread) {
    kLog.warning("Whether power can be measured cannot be told: {}", thread.error().message);
    return false;
  }
  return thread->wait_for(kAvailablePatience) && *is_there;
}

std::vector<SourceStatus> PowerMonitor::survey(const PowerEnvironment& environment) {
  return survey_sources(environment);
}

std::string PowerMonitor::source_names() { return power_source_names(); }

PowerMonitor::PowerMonitor(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
                           const std::filesystem::path& procfs_root, const Sleeper* sleeper)
    : impl_(std::make_unique<Impl>(std::move(sources), clock, procfs_root, sleeper)) {}

PowerMonitor::PowerMonitor(PowerMonitor&& other) noexcept = default;

PowerMonitor& PowerMonitor::operator=(PowerMonitor&& other) noexcept {
  if (this != &other) {
    if (impl_) {
      impl_->sampler->stop();
    }
    impl_ = std::move(other.impl_);
  }
  return *this;
}

PowerMonitor::~PowerMonitor() {
  if (!impl_) {
    return;
  }
  try {
    impl_->sampler->stop();
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Power monitoring could not be stopped in order: {}", error.what());
  }
}

const std::vector<Domain>& PowerMonitor::domains() const noexcept {
  return impl_->sampler->domains();
}

std::vector<std::string> PowerMonitor::sources() const {
  auto result = impl_->sampler->descriptions();
  std::ranges::copy(impl_->notes, std::back_inserter(result));
  return result;
}

const std::vector<RefusedSource>& PowerMonitor::refused_sources() const noexcept {
  return impl_->refused;
}

Result<void> PowerMonitor::start(std::optional<Nanoseconds> interval, SamplingPriority priority) {
  return impl_->sampler->start(interval, priority);
}
void PowerMonitor::stop() { impl_->sampler->stop(); }
bool PowerMonitor::is_running() const noexcept { return impl_ && impl_->sampler->is_running(); }
Nanoseconds PowerMonitor::interval() const noexcept { return impl_->sampler->interval(); }
void PowerMonitor::sync() { impl_->sampler->sync(); }

std::vector<EnergyWindow> PowerMonitor::windows(Instant begin, Instant end) const {
  return impl_->sampler->windows(begin, end);
}
void PowerMonitor::forget_before(Instant instant) { impl_->sampler->forget_before(instant); }
PowerNow PowerMonitor::now() const { return impl_->sampler->now(); }
std::vector<SensorReading> PowerMonitor::readings(Instant begin, Instant end) const {
  return impl_->sampler->readings(begin, end);
}
std::optional<PeakPower> PowerMonitor::peak() const { return impl_->sampler->peak(); }
std::vector<SourceRate> PowerMonitor::rates() const { return impl_->sampler->rates(); }
std::vector<Warning> PowerMonitor::warnings() const { return warnings(Instant::min()); }
std::vector<Warning> PowerMonitor::warnings(Instant since) const {
  std::vector<Warning> result;
  for (const RefusedSource& refused : impl_->refused) {
    result.push_back({.component = "power",
                      .code = "sensor_refused",
                      .message = fmt::format("{} is not used: {}", refused.name, refused.message),
                      .hint = refused.hint});
  }
  std::ranges::move(impl_->sampler->warnings(since), std::back_inserter(result));
  return result;
}

Result<IdleBaseline> PowerMonitor::measure_idle_baseline(Nanoseconds duration,
                                                         const std::stop_token& stop,
                                                         BusyMachine busy) {
  PowerSampler& sampler = *impl_->sampler;
  if (duration <= Nanoseconds{0}) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("An idle baseline of {:g} s measures nothing", seconds(duration)),
                "Pass a positive duration, for example --baseline-s 2");
  }
  if (!sampler.is_running()) {
    return std::unexpected(not_running());
  }
  if (domains().empty()) {
    return fail(ErrorCode::unavailable, "There is no idle baseline: no power source is open",
                fmt::format("Choose one: {}", source_names()));
  }
  sampler.sync();
  const auto load_at_begin = impl_->cpu.machine();
  const Instant begin = sampler.clock().now();
  impl_->wait(duration, stop);
  if (stop.stop_requested()) {
    return std::unexpected(cancelled());
  }
  if (!sampler.is_running()) {
    return std::unexpected(not_running());
  }
  sampler.sync();
  const Instant end = sampler.clock().now();
  const auto load_at_end = impl_->cpu.machine();
  if (busy == BusyMachine::refuse && load_at_begin && load_at_end) {
    const auto share = busy_share(*load_at_begin, *load_at_end);
    if (share && *share > kIdleShare) {
      return std::unexpected(not_idle(*share, duration));
    }
  }
  const auto windows = sampler.windows(begin, end);
  IdleBaseline baseline = compute_idle_baseline(domains(), windows, begin, end);
  if (std::ranges::none_of(baseline.domains,
                           [](const auto& domain) { return domain.has_value(); })) {
    const auto problems = sampler.warnings();
    return fail(
        ErrorCode::unavailable,
        fmt::format("There is no idle baseline: no reading came within {:g} s{}", seconds(duration),
                    problems.empty() ? "" : ". " + problems.front().message),
        problems.empty() ? "Measure for longer: --baseline-s S" : problems.front().hint);
  }
  const std::lock_guard lock(impl_->mutex);
  impl_->baseline = baseline;
  return baseline;
}

std::optional<IdleBaseline> PowerMonitor::baseline() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->baseline;
}

Result<void> PowerMonitor::record_to(const std::filesystem::path& path) {
  auto recorder = WindowRecorder::open(path);
  if (!recorder) {
    return std::unexpected(std::move(recorder.error()));
  }
  return impl_->sampler->record_to(std::move(*recorder));
}

}  // namespace enprof
