#include "enprof/power/power_monitor.hpp"

#include "base/abandonable_thread.hpp"
#include "base/cpu_times.hpp"
#include "base/log.hpp"
#include "base/sleeper.hpp"
#include "base/thread_name.hpp"
#include "power/idle_baseline.hpp"
#include "power/power_sources.hpp"
#include "power/sampler/domain_trust.hpp"
#include "power/sampler/power_sampler.hpp"
#include "power/sensor_accuracy.hpp"

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

/// How long is_available() waits for the sensors.
constexpr std::chrono::seconds kAvailablePatience{2};
/// How often a baseline measurement checks whether it was cancelled.
constexpr Nanoseconds kCancelPeriod = std::chrono::milliseconds{10};

Error cancelled() {
  return {.code = ErrorCode::cancelled, .message = "The idle baseline was cancelled", .hint = {}};
}

Error not_idle(double share, Nanoseconds duration) {
  return {
      .code = ErrorCode::busy,
      .message = fmt::format("There is no idle baseline: the machine was not idle. Its CPUs "
                             "were busy for {:.0f} % of {:g} s; the limit is {:.0f} %",
                             100.0 * share, seconds(duration), 100.0 * PowerMonitor::kIdleShare),
      .hint =
          "Use top to see what runs, stop it and try again; or skip the baseline with "
          "--baseline-s 0, or measure anyway with --baseline-force"};
}

Error not_running() {
  return {.code = ErrorCode::not_running,
          .message = "The idle baseline needs a running PowerMonitor",
          .hint = "Call start() first, and stop() only after the baseline was measured."};
}

}  // namespace

namespace {

std::vector<std::optional<Watts>> idle_powers_of_models(
    const std::vector<std::unique_ptr<PowerSource>>& sources) {
  std::vector<std::optional<Watts>> result;
  for (const auto& source : sources) {
    for (std::size_t domain = 0; domain < source->domains().size(); ++domain) {
      result.push_back(source->modelled_idle_power(domain));
    }
  }
  return result;
}

}  // namespace

class PowerMonitor::Impl {
 public:
  Impl(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
       const std::filesystem::path& procfs_root, const Sleeper* time)
      : modelled_idle(idle_powers_of_models(sources)),
        sampler(std::make_shared<PowerSampler>(std::move(sources), clock)),
        domains(sampler->domains()),
        sleeper(time),
        cpu(procfs_root) {
    set_uncertainties({});
  }

  /// Says how well each domain is calibrated: as the caller says, else as its source does, else as
  /// published.
  void set_uncertainties(const std::map<std::string, double, std::less<>>& by_source) {
    for (std::size_t index = 0; index < domains.size(); ++index) {
      Domain& domain = domains[index];
      const auto found = by_source.find(domain.source);
      const auto any = by_source.find(std::string_view{});
      if (domain.method == Method::estimated) {
        domain.relative_uncertainty = std::nullopt;
      } else if (found != by_source.end() || any != by_source.end()) {
        domain.relative_uncertainty = (found != by_source.end() ? found : any)->second;
      } else if (const auto its_own = sampler->domains()[index].relative_uncertainty) {
        domain.relative_uncertainty = its_own;
      } else {
        domain.relative_uncertainty = published_uncertainty(domain);
      }
    }
  }

  /// The idle powers that the sources' own models give; empty if no source has one.
  [[nodiscard]] std::optional<IdleBaseline> modelled_baseline(
      const std::vector<Domain>& trusted) const {
    IdleBaseline result;
    BaselineFigure total;
    bool any = false;
    bool complete = true;
    for (std::size_t index = 0; index < trusted.size(); ++index) {
      auto& domain = result.domains.emplace_back();
      if (modelled_idle[index]) {
        any = true;
        domain = IdleBaseline::DomainIdle{
            .power = *modelled_idle[index], .spread = std::nullopt, .windows = 0};
      }
      if (trusted[index].is_root()) {
        complete = complete && domain.has_value();
        total.power += modelled_idle[index].value_or(Watts{});
      }
    }
    if (complete) {
      result.total = total;
    }
    return any ? std::optional{result} : std::nullopt;
  }

  /// Sleeps on the monitor's clock, or on the system's if the monitor has no sleeper. Ends early if
  /// a stop is requested or the sampler stops.
  void wait(Nanoseconds duration, const std::stop_token& stop) const {
    const Clock& clock = sleeper != nullptr ? sampler->clock() : monotonic_clock();
    const Sleeper& time = sleeper != nullptr ? *sleeper : monotonic_sleeper();
    const Instant end = clock.now() + duration;
    for (Instant now = clock.now(); now < end && !stop.stop_requested() && sampler->is_running();
         now = clock.now()) {
      time.sleep_until(std::min(end, now + kCancelPeriod));
    }
  }

  std::vector<std::optional<Watts>> modelled_idle;  // by domain
  std::shared_ptr<PowerSampler> sampler;            // its threads have shares too: see PowerSampler
  std::vector<Domain> domains;                      // the sampler's, with their uncertainties
  const Sleeper* sleeper;
  CpuTimes cpu;
  std::vector<std::string> notes;      // how the sources were chosen
  std::vector<RefusedSource> refused;  // the sources that may not be read
  std::mutex mutex;                    // guards `baseline`
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
  monitor.impl_->set_uncertainties(environment.relative_uncertainty);
  return monitor;
}

bool PowerMonitor::is_available(const PowerEnvironment& environment) {
  // On a thread that can be left behind, because opening a driver that hangs blocks the thread. The
  // thread may outlive the objects that the caller's pointers point to, so it does not use them.
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
    kLog.warning("Cannot check whether power can be measured: {}", thread.error().message);
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

const std::vector<Domain>& PowerMonitor::domains() const noexcept { return impl_->domains; }

TrustedDomains PowerMonitor::trusted_domains(Instant begin, Instant end) const {
  TrustedDomains trusted = impl_->sampler->trusted_domains(begin, end);
  for (std::size_t index = 0; index < trusted.domains.size(); ++index) {
    trusted.domains[index].relative_uncertainty = impl_->domains[index].relative_uncertainty;
  }
  return trusted;
}

TrustedDomains PowerMonitor::trusted_domains() const {
  const Instant now = impl_->sampler->clock().now();
  return trusted_domains(now - kTrustLookBack, now);
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
void PowerMonitor::wait_for_windows_after(Instant instant) {
  impl_->sampler->wait_for_windows_after(instant);
}

WindowsByDomain PowerMonitor::windows(Instant begin, Instant end) const {
  return impl_->sampler->windows(begin, end);
}
void PowerMonitor::forget_before(Instant instant) { impl_->sampler->forget_before(instant); }
PowerNow PowerMonitor::now() const { return impl_->sampler->now(); }
std::vector<SensorReading> PowerMonitor::readings(Instant begin, Instant end) const {
  return impl_->sampler->readings(begin, end);
}
std::optional<PeakPower> PowerMonitor::peak() const { return impl_->sampler->peak(); }
std::vector<SourceRate> PowerMonitor::rates() const { return impl_->sampler->rates(); }
std::vector<std::shared_ptr<BorderReader>> PowerMonitor::border_readers() const {
  return impl_->sampler->border_readers();
}
std::vector<Warning> PowerMonitor::warnings() const {
  std::vector<Warning> result = warnings(Instant::min());
  std::ranges::move(trusted_domains().warnings, std::back_inserter(result));
  return result;
}
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
                fmt::format("An idle baseline of {:g} s is not possible", seconds(duration)),
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
  const auto share = load_at_begin && load_at_end ? busy_share(*load_at_begin, *load_at_end)
                                                  : std::optional<double>{};
  if (busy == BusyMachine::refuse && share && *share > kIdleShare) {
    const std::lock_guard lock(impl_->mutex);
    impl_->baseline = impl_->modelled_baseline(trusted_domains(begin, end).domains);
    if (impl_->baseline && impl_->baseline->total) {
      return *impl_->baseline;
    }
    return std::unexpected(not_idle(*share, duration));
  }
  const auto windows = sampler.windows(begin, end);
  IdleBaseline baseline =
      compute_idle_baseline(trusted_domains(begin, end).domains, windows, begin, end);
  baseline.busy_share = share;
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
  return impl_->sampler->record_to(std::move(*recorder), impl_->domains);
}

}  // namespace enprof
