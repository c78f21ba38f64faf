#include "cli/power_options.hpp"

#include "base/lower_case.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/option_values.hpp"
#include "power/power_sources.hpp"

#include <stop_token>

namespace enprof {

void PowerOptions::declare(CLI::App& app) {
  app.add_option("--power", source_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str()
      ->group("Power");
  interval_.declare(app)->group("Power");
  app.add_option("--power-lock", lock_,
                 "Read energy counters when they change (on), or at fixed intervals (off)")
      ->type_name("on|off")
      ->transform(one_of({"on", "off"}).description(""))
      ->capture_default_str()
      ->group("Power");
  app.add_option("--baseline-s", baseline_s_, "Seconds of idle measurement before the run; 0: none")
      ->type_name("S")
      ->transform(number(0.0, 3600.0))
      ->capture_default_str()
      ->group("Power");
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even if the machine is not idle")
      ->group("Power");
  accuracy_.declare(app)->group("Power");
  app.add_flag("--power-realtime", realtime_,
               "Read sensors at realtime priority (needs CAP_SYS_NICE)")
      ->group("Power");
  app.add_option("--tdp-watts", tdp_watts_, "CPU power at full load, for estimate")
      ->type_name("W")
      ->transform(number(0.1, 100'000.0))
      ->group("Power");
  app.add_option("--idle-watts", idle_watts_, "CPU power when idle, for estimate")
      ->type_name("W")
      ->transform(number(0.0, 100'000.0))
      ->group("Power");
  app.add_option("--record-power", record_to_, "Write the readings to a file for replay:FILE")
      ->type_name("FILE")
      ->check(not_empty())
      ->group("Power");
}

Result<void> PowerOptions::check() const {
  if (!record_to_.empty() && lower_case(source_) == "none") {
    return fail(ErrorCode::invalid_argument,
                "--record-power needs a power source, but --power is none",
                "Leave one of them out.");
  }
  return {};
}

PowerEnvironment PowerOptions::environment() const {
  PowerEnvironment result = power_environment();
  result.lock_to_steps = lock_ == "on";
  result.relative_uncertainty = accuracy_.by_source();
  if (tdp_watts_) {
    result.tdp = Watts{*tdp_watts_};
  }
  if (idle_watts_) {
    result.idle = Watts{*idle_watts_};
  }
  return result;
}

SessionPower::Options PowerOptions::session(bool is_required) const {
  SessionPower::Options options{
      .open = [this] { return PowerMonitor::open(source_, environment()); },
      .interval = interval_.interval(),
      .priority = realtime_ ? SamplingPriority::realtime : SamplingPriority::normal,
      .record_to = record_to_,
      .is_required = is_required || names_required(source_),
      .notify = print_note};
  if (baseline_s_ > 0.0) {
    options.baseline = [this](PowerMonitor& monitor, const std::stop_token& stop) {
      return measure_baseline(monitor, baseline_s_, stop, busy_machine());
    };
  }
  return options;
}

}  // namespace enprof
