#include "server/server_power.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
/// Between two looks where there is nothing left to do.
constexpr Nanoseconds kRest = std::chrono::hours{1};

Warning no_baseline_yet() {
  return {.component = "power",
          .code = "baseline_failed",
          .message = "There is no idle baseline yet: these sensors could not be read before",
          .hint = "It is measured as soon as no run is under way."};
}

}  // namespace

ServerPower::ServerPower(Options options, ServerHealth& health)
    : options_(std::move(options)), health_(health) {}

ServerPower::~ServerPower() { stop(); }

Result<void> ServerPower::open() {
  const std::lock_guard lock(mutex_);
  auto opened = options_.open();
  if (opened) {
    opened_ = std::make_unique<PowerMonitor>(*std::move(opened));
    return {};
  }
  if (opened.error().code == ErrorCode::invalid_argument) {
    return std::unexpected(std::move(opened.error()));
  }
  failed(opened.error());
  return {};
}

void ServerPower::start(const std::atomic<bool>& cancel) {
  const std::lock_guard lock(mutex_);
  baseline_due_ = options_.baseline != nullptr;
  if (opened_ && running_ == nullptr) {
    try_again();
  }
  measure_baseline(cancel);
}

void ServerPower::watch() {
  const auto started = thread_.start({.name = "enprof-power",
                                      .purpose = "try again to measure power",
                                      .period = kLook,
                                      .first = kLook},
                                     [this] { look(); });
  if (!started) {
    kLog.error("Power is tried again only before runs: {}", started.error().message);
  }
}

void ServerPower::stop() {
  cancel_ = true;
  thread_.stop();
  const std::lock_guard lock(mutex_);
  running_ = nullptr;
  if (opened_) {
    opened_->stop();
  }
}

ServerPower::ForRun ServerPower::run_begins() {
  cancel_ = true;  // a baseline lets go of the mutex at once
  const std::lock_guard lock(mutex_);
  cancel_ = false;
  if (is_due()) {
    running_ == nullptr ? try_again() : try_for_better();
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

void ServerPower::look() {
  const std::lock_guard lock(mutex_);
  if (!options_.is_idle()) {  // asked now that no run can begin
    return;
  }
  if (is_due()) {
    running_ == nullptr ? try_again() : try_for_better();
  }
  measure_baseline(cancel_);
  if (running_ != nullptr && !baseline_due_ && opened_->refused_sources().empty()) {
    thread_.set_period(kRest);
  }
}

void ServerPower::try_again() {
  if (!opened_) {
    auto opened = options_.open();
    if (!opened) {
      failed(opened.error());
      return;
    }
    opened_ = std::make_unique<PowerMonitor>(*std::move(opened));
  }
  if (const auto started = opened_->start(options_.interval); !started) {
    failed(started.error());
    return;
  }
  running_ = opened_.get();
  health_.ok("power");
  pause_ = kFirstPause;
  wait_longer();  // until refused sensors are tried
  tell_refused();
  if (std::exchange(failure_, std::nullopt)) {
    if (baseline_due_) {
      baseline_warning_ = no_baseline_yet();
    }
    kLog.info("Power is measured now");
    options_.tell("power is measured now");
  }
}

void ServerPower::try_for_better() {
  const auto& refused = opened_->refused_sources();
  // Asked for each: to open all again would fill the log with those that are open already.
  if (!options_.can_open || std::ranges::none_of(refused, [this](const RefusedSource& source) {
        return options_.can_open(source.name);
      })) {
    wait_longer();
    return;
  }
  auto better = options_.open();
  if (!better || better->refused_sources().size() >= refused.size()) {
    wait_longer();
    return;
  }
  if (const auto started = better->start(options_.interval); !started) {
    kLog.warning("The sensors that may be read now do not start: {}", started.error().message);
    wait_longer();
    return;
  }
  auto before = std::exchange(opened_, std::make_unique<PowerMonitor>(*std::move(better)));
  running_ = opened_.get();
  before->stop();
  before->forget_before(Instant::max());
  retired_.push_back(std::move(before));
  pause_ = kFirstPause;
  wait_longer();
  baseline_due_ = options_.baseline != nullptr;
  baseline_warning_ = baseline_due_ ? std::optional{no_baseline_yet()} : std::nullopt;
  const std::string sources = fmt::format("{}", fmt::join(opened_->sources(), " · "));
  kLog.info("Power is measured with a sensor that was refused before: {}", sources);
  options_.tell(fmt::format("a sensor that was refused before may be read now: {}", sources));
  tell_refused();
}

void ServerPower::tell_refused() const {
  for (const RefusedSource& source : opened_->refused_sources()) {
    options_.tell(fmt::format("{} is not used: {}{}{}\n  It is tried again from time to time.",
                              source.name, source.message, source.hint.empty() ? "" : "\n  ",
                              source.hint));
  }
}

void ServerPower::wait_longer() {
  again_at_ = options_.clock->now() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

void ServerPower::failed(const Error& error) {
  wait_longer();
  health_.failed("power", error);
  const bool is_news = !failure_ || failure_->message != error.message;
  failure_ = error;
  if (!is_news) {
    kLog.debug("Failed to start power monitoring again: {}", error.message);
    return;
  }
  kLog.error("Failed to start power monitoring: {}", error.message);
  options_.tell(fmt::format("no power is measured: {}{}{}\n  It is tried again from time to time.",
                            error.message, error.hint.empty() ? "" : "\n  ", error.hint));
}

void ServerPower::measure_baseline(const std::atomic<bool>& cancel) {
  if (running_ == nullptr || !baseline_due_ || cancel) {
    return;
  }
  auto warning = options_.baseline(*running_, cancel);
  if (!warning && cancel && !running_.load()->baseline()) {
    return;  // it is due as before
  }
  baseline_due_ = false;
  baseline_warning_ = std::move(warning);
}

}  // namespace enprof
