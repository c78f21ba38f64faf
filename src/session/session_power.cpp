#include "session/session_power.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

}  // namespace

SessionPower::SessionPower(Options options) : options_(std::move(options)) {}

SessionPower::~SessionPower() { stop(); }

Result<void> SessionPower::open() {
  const std::lock_guard lock(mutex_);
  auto opened = options_.open();
  if (opened) {
    opened_ = std::make_unique<PowerMonitor>(*std::move(opened));
    return {};
  }
  if (options_.is_required || opened.error().code == ErrorCode::invalid_argument) {
    return std::unexpected(std::move(opened.error()));
  }
  remember_failure(opened.error());
  return {};
}

void SessionPower::watch() {
  const auto started = thread_.start({.name = "enprof-power",
                                      .purpose = "maintain power measurement",
                                      .period = kCheckPeriod,
                                      .first = kCheckPeriod,
                                      .clock = options_.clock},
                                     [this] { check(); });
  if (!started) {
    kLog.error("Power measurement is retried only before runs: {}", started.error().message);
  }
}

void SessionPower::stop() {
  stop_measuring();
  thread_.stop();
  const std::lock_guard lock(mutex_);
  running_ = nullptr;
  if (opened_) {
    opened_->stop();
  }
}

Result<void> SessionPower::get_ready() {
  stop_measuring();  // releases the mutex immediately
  const std::lock_guard lock(mutex_);
  quiet_since_.reset();
  if (running_ == nullptr && (is_due() || (opened_ && !failure_))) {
    return retry();
  }
  if (running_ != nullptr && is_due()) {
    retry_refused_sensors();
  }
  return {};
}

SessionPower::ForRun SessionPower::measure_idle(bool is_new_model, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  has_model_ = true;
  baseline_due_ = baseline_due_ || is_new_model;
  if (baseline_due_) {
    measure_now(stop);
  }
  ForRun result{.monitor = running_, .warnings = {}};
  if (failure_) {
    result.warnings.push_back({.component = "power",
                               .code = "power_failed",
                               .message = failure_->message,
                               .hint = failure_->hint});
  } else if (baseline_warning_) {
    result.warnings.push_back(*baseline_warning_);
  }
  return result;
}

void SessionPower::require_new_baseline() {
  const std::lock_guard lock(mutex_);
  baseline_due_ = true;
}

std::stop_token SessionPower::new_measurement() {
  const std::lock_guard lock(measuring_mutex_);
  measuring_ = std::stop_source{};
  return measuring_.get_token();
}

void SessionPower::stop_measuring() {
  const std::lock_guard lock(measuring_mutex_);
  measuring_.request_stop();
}

void SessionPower::check() {
  const std::stop_token stop = new_measurement();
  const std::lock_guard lock(mutex_);
  if (!options_.is_idle()) {  // checked under the mutex, so that no run can begin
    quiet_since_.reset();
    return;
  }
  const Instant now = options_.clock->now();
  quiet_since_ = quiet_since_.value_or(now);
  if (is_due()) {
    if (running_ != nullptr) {
      retry_refused_sensors();
    } else if (const auto started = retry(); !started) {
      return;  // it was reported
    }
  }
  if (has_model_ && now - *quiet_since_ >= kQuiet && (baseline_due_ || is_baseline_old())) {
    measure_now(stop);
  }
}

bool SessionPower::is_baseline_old() const {
  return options_.clock->now() - measured_at_ >= (baseline_warning_ ? kRefusedAge : kAge);
}

Result<void> SessionPower::retry() {
  const auto give_up = [this](Error error) -> Result<void> {
    remember_failure(error);
    return options_.is_required ? Result<void>{std::unexpected(std::move(error))} : Result<void>{};
  };
  if (!opened_) {
    auto opened = options_.open();
    if (!opened) {
      return give_up(std::move(opened.error()));
    }
    opened_ = std::make_unique<PowerMonitor>(*std::move(opened));
  }
  if (!options_.record_to.empty()) {
    if (const auto recording = opened_->record_to(options_.record_to); !recording) {
      return std::unexpected(recording.error());
    }
  }
  if (const auto started = opened_->start(options_.interval, options_.priority); !started) {
    return give_up(started.error());
  }
  running_ = opened_.get();
  options_.on_attempt(std::nullopt);
  pause_ = kFirstPause;
  lengthen_pause();  // the pause until refused sensors are retried
  baseline_due_ = true;
  notify_refused();
  if (std::exchange(failure_, std::nullopt)) {
    kLog.info("Power is measured now");
    options_.notify("power is measured now");
  }
  return {};
}

void SessionPower::retry_refused_sensors() {
  const auto& refused = opened_->refused_sources();
  // Check each first: opening everything again would log the sensors that are open already.
  if (!options_.can_open || std::ranges::none_of(refused, [this](const RefusedSource& source) {
        return options_.can_open(source.name);
      })) {
    lengthen_pause();
    return;
  }
  auto better = options_.open();
  if (!better || better->refused_sources().size() >= refused.size()) {
    lengthen_pause();
    return;
  }
  if (const auto started = better->start(options_.interval, options_.priority); !started) {
    kLog.warning("The sensors that may be read now cannot be started: {}", started.error().message);
    lengthen_pause();
    return;
  }
  auto before = std::exchange(opened_, std::make_unique<PowerMonitor>(*std::move(better)));
  running_ = opened_.get();
  before->stop();
  before->forget_before(Instant::max());
  retired_.push_back(std::move(before));
  pause_ = kFirstPause;
  lengthen_pause();
  baseline_due_ = true;
  const std::string sources = fmt::format("{}", fmt::join(opened_->sources(), " · "));
  kLog.info("Power is measured with a sensor that was refused before: {}", sources);
  options_.notify(fmt::format("a sensor that was refused before may be read now: {}", sources));
  notify_refused();
}

void SessionPower::notify_refused() const {
  for (const RefusedSource& source : opened_->refused_sources()) {
    options_.notify(fmt::format("{} is not used: {}{}{}\n  It is tried again from time to time.",
                                source.name, source.message, source.hint.empty() ? "" : "\n  ",
                                source.hint));
  }
}

void SessionPower::lengthen_pause() {
  again_at_ = options_.clock->now() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

void SessionPower::remember_failure(const Error& error) {
  lengthen_pause();
  options_.on_attempt(error);
  const bool is_news = !failure_ || failure_->message != error.message;
  failure_ = error;
  if (!is_news) {
    kLog.debug("Failed to start power monitoring again: {}", error.message);
    return;
  }
  kLog.error("Failed to start power monitoring: {}", error.message);
  options_.notify(fmt::format("power is not measured, only times: {}{}{}", error.message,
                              error.hint.empty() ? "" : "\n  ", error.hint));
}

void SessionPower::measure_now(const std::stop_token& stop) {
  if (running_ == nullptr || !options_.baseline || stop.stop_requested()) {
    return;
  }
  auto warning = options_.baseline(*running_, stop);
  if (stop.stop_requested() && !warning) {
    return;  // still due
  }
  baseline_due_ = false;
  measured_at_ = options_.clock->now();
  baseline_warning_ = std::move(warning);
}

}  // namespace enprof
