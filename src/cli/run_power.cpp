#include "cli/run_power.hpp"

#include "base/log.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// A recording is what the run is to be reckoned with: without it there is nothing to be done.
bool replays(std::string source) {
  std::ranges::transform(source, source.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return source.contains("replay:");
}

}  // namespace

Result<void> RunPower::open(const PowerEnvironment& environment) {
  auto opened = PowerMonitor::open(options_.source, environment);
  if (opened) {
    monitor_ = *std::move(opened);
    return {};
  }
  if (opened.error().code == ErrorCode::invalid_argument || replays(options_.source)) {
    return std::unexpected(std::move(opened.error()));
  }
  return do_without(opened.error());
}

Result<void> RunPower::start(const std::atomic<bool>& cancel) {
  if (!monitor_) {
    return {};
  }
  if (!options_.record_to.empty()) {
    if (const auto recording = monitor_->record_to(options_.record_to); !recording) {
      return std::unexpected(recording.error());
    }
  }
  if (const auto started = monitor_->start(options_.interval, options_.priority); !started) {
    return do_without(started.error());
  }
  if (auto warning = measure_baseline(*monitor_, options_.baseline_s, cancel, options_.busy)) {
    warnings_.push_back(*std::move(warning));
  }
  return {};
}

Result<void> RunPower::do_without(const Error& error) {
  if (options_.is_required) {
    return std::unexpected(error);
  }
  kLog.error("Failed to start power monitoring: {}", error.message);
  print_note(fmt::format("power is not measured, only times: {}{}{}", error.message,
                         error.hint.empty() ? "" : "\n  ", error.hint));
  warnings_.push_back(
      {.component = "power", .code = "power_failed", .message = error.message, .hint = error.hint});
  monitor_.reset();
  return {};
}

}  // namespace enprof
