#include "enprof/power/power_monitor.hpp"

#include "power/idle_baseline.hpp"
#include "power/power_sampler.hpp"
#include "power/power_sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

namespace enprof {
namespace {

/// How soon a measurement of the baseline notices that it is cancelled.
constexpr Nanoseconds kCancelPeriod = std::chrono::milliseconds{10};

Error cancelled() {
  return {.code = ErrorCode::cancelled, .message = "The idle baseline was cancelled", .hint = {}};
}

Error not_running() {
  return {.code = ErrorCode::not_running,
          .message = "The idle baseline needs a running PowerMonitor",
          .hint = "Call start() first, and stop() not before the baseline is there."};
}

}  // namespace

class PowerMonitor::Impl {
 public:
  Impl(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock)
      : sampler(std::make_shared<PowerSampler>(std::move(sources), clock)) {}

  std::shared_ptr<PowerSampler> sampler;  // shared with its thread: see PowerSampler
  std::vector<std::string> notes;         // how the sources were chosen
  std::mutex mutex;                       // guards what follows
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
  PowerMonitor monitor(std::move(opened->sources), *environment.clock);
  monitor.impl_->notes = std::move(opened->notes);
  return monitor;
}

std::vector<SourceStatus> PowerMonitor::survey(const PowerEnvironment& environment) {
  return survey_sources(environment);
}

std::string PowerMonitor::source_names() { return power_source_names(); }

PowerMonitor::PowerMonitor(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(sources), clock)) {}

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
  if (impl_) {
    impl_->sampler->stop();
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

Result<void> PowerMonitor::start(Nanoseconds interval) { return impl_->sampler->start(interval); }
void PowerMonitor::stop() { impl_->sampler->stop(); }
bool PowerMonitor::is_running() const noexcept { return impl_ && impl_->sampler->is_running(); }
Nanoseconds PowerMonitor::interval() const noexcept { return impl_->sampler->interval(); }
void PowerMonitor::sync() { impl_->sampler->sync(); }

std::vector<EnergyWindow> PowerMonitor::windows(Instant begin, Instant end) const {
  return impl_->sampler->windows(begin, end);
}
void PowerMonitor::forget_before(Instant instant) { impl_->sampler->forget_before(instant); }
PowerNow PowerMonitor::now() const { return impl_->sampler->now(); }
std::vector<Warning> PowerMonitor::warnings() const { return impl_->sampler->warnings(); }

Result<IdleBaseline> PowerMonitor::measure_idle_baseline(Nanoseconds duration,
                                                         const std::atomic<bool>* cancel) {
  PowerSampler& sampler = *impl_->sampler;
  if (duration <= Nanoseconds{0}) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("An idle baseline of {:g} s is none", seconds(duration)),
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
  const Instant begin = sampler.clock().now();
  const auto until = std::chrono::steady_clock::now() + duration;
  for (auto now = until - duration; now < until; now = std::chrono::steady_clock::now()) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
      return std::unexpected(cancelled());
    }
    if (!sampler.is_running()) {
      return std::unexpected(not_running());
    }
    std::this_thread::sleep_for(std::min<Nanoseconds>(kCancelPeriod, until - now));
  }
  sampler.sync();
  const Instant end = sampler.clock().now();
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
  impl_->sampler->record_to(std::move(*recorder));
  return {};
}

}  // namespace enprof
