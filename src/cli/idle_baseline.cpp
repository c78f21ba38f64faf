#include "cli/idle_baseline.hpp"

#include "base/log.hpp"
#include "cli/console.hpp"

#include <fmt/format.h>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

}  // namespace

std::optional<Warning> measure_baseline(PowerMonitor& monitor, double seconds,
                                        const std::stop_token& stop, BusyMachine busy) {
  if (seconds <= 0.0 || monitor.domains().empty()) {
    return std::nullopt;
  }
  StatusLine status;
  status.show(fmt::format("Measuring the idle baseline for {:g} s", seconds));
  const auto baseline = monitor.measure_idle_baseline(from_ms(seconds * 1e3), stop, busy);
  status.clear();
  if (baseline && baseline->busy_share.value_or(0.0) > PowerMonitor::kIdleShare) {
    Warning warning{
        .component = "power",
        .code = "baseline_forced",
        .message = fmt::format("The idle baseline was measured on a busy machine: its CPUs were "
                               "busy for {:.0f} % of {:g} s. Energy above idle is too low",
                               100.0 * *baseline->busy_share, seconds),
        .hint = "Use top to see what runs, stop it, and run again without --baseline-force."};
    kLog.warning("{}. {}", warning.message, warning.hint);
    return warning;
  }
  if (baseline || baseline.error().code == ErrorCode::cancelled) {
    return std::nullopt;
  }
  const Error& error = baseline.error();
  kLog.warning("{}. {}", error.message, error.hint);
  return Warning{.component = "power",
                 .code = error.code == ErrorCode::busy ? "baseline_refused" : "baseline_failed",
                 .message = error.message,
                 .hint = error.hint};
}

}  // namespace enprof
