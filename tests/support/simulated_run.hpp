// A run of the playback engine on a clock of its own: the same each time.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "engines/playback/playback.hpp"
#include "power/replay/replay_source.hpp"
#include "session/run_session.hpp"
#include "support/manual_clock.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace enprof::testing {

struct SimulatedRun {
  RunTask order;                    ///< its model is a script for playback
  std::filesystem::path recording;  ///< of power; begins with `idle` of idleness
  Nanoseconds idle = std::chrono::seconds{2};
  WallTime started_at;
};

/// Plays the script against the recording, in no time. Leaves out of the run what differs between
/// machines and days. Throws if it cannot be played.
[[nodiscard]] inline ProfiledRun simulate(const SimulatedRun& what) {
  const auto check = [](const auto& result) {
    if (!result) {
      throw std::runtime_error(result.error().message);
    }
  };
  ManualClock clock;
  const ManualSleeper sleeper(clock);
  const auto engine = make_playback(clock, sleeper);
  auto replay = ReplaySource::open(what.recording, clock);
  check(replay);
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(*std::move(replay));
  PowerMonitor monitor(std::move(sources), clock, "/proc", &sleeper);
  SessionPower power(
      {.open = [&]() -> Result<PowerMonitor> { return std::move(monitor); },
       .baseline = [&](PowerMonitor& idle, const std::stop_token& stop) -> std::optional<Warning> {
         check(idle.measure_idle_baseline(what.idle, stop, BusyMachine::measure));
         return std::nullopt;
       },
       .clock = &clock});
  check(power.open());
  ModelKeeper models({.engine_for = [&](const auto&) -> const Engine& { return *engine; }});
  RunSession session({.power = &power, .models = &models, .profiler = {.clock = &clock}});
  const RunOutcome outcome = session.perform(what.order, {});
  if (outcome.error) {
    throw std::runtime_error(outcome.error->message);
  }
  ProfiledRun run = *outcome.run;
  run.run_id = what.order.run_id;
  run.started_at = what.started_at;
  run.model.load_time.reset();
  run.totals.figure.quality.foreign_cpu_share.reset();
  run.totals.process_dynamic.reset();
  // The recording is read only where the run asks for it: its thread is not driven by this clock.
  std::erase_if(run.warnings, [](const Warning& warning) {
    return warning.code == "foreign_load" || warning.code == "rate_deviation";
  });
  return run;
}

}  // namespace enprof::testing
