#include "server/server_power.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

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
          .message = "There is no idle baseline yet: power could not be measured before",
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
  if (running_ == nullptr && options_.clock->now() >= again_at_) {
    try_again();
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
  if (running_ == nullptr && options_.clock->now() >= again_at_) {
    try_again();
  }
  measure_baseline(cancel_);
  if (running_ != nullptr && !baseline_due_) {
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
  if (std::exchange(failure_, std::nullopt)) {
    if (baseline_due_) {
      baseline_warning_ = no_baseline_yet();
    }
    kLog.info("Power is measured now");
    options_.tell("power is measured now");
  }
}

void ServerPower::failed(const Error& error) {
  again_at_ = options_.clock->now() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
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
