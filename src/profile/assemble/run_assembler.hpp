// From what was recorded to what is known: spans and windows become the figures of a run.
#pragma once

#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/cpu_times.hpp"
#include "base/standstill_watch.hpp"
#include "record/run_recorder.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// What the sensors contributed to a run.
struct PowerEvidence {
  std::vector<std::string> sources;
  std::vector<Domain> domains;
  std::vector<EnergyWindow> windows;    ///< that overlap the run, without standstills
  std::vector<SensorReading> readings;  ///< taken in the run
  std::optional<IdleBaseline> baseline;
  Nanoseconds interval{0};
  std::vector<CpuSample> cpu;  ///< CPU times from the run's begin to its end; empty: not known
  /// Of the whole run, where `cpu` does not tell it.
  std::optional<double> foreign_cpu_share;
  std::vector<Standstill> standstills;  ///< of the program
};

/// Fills in phases, sections, tokens, totals and power of a run from its recording. What the caller
/// has set (identity, prompt, model, prompt_tokens, economics) stays; warnings are added. Returns
/// how many timings of layers the prefill gave.
std::size_t assemble_run(const Recording& recording, const PowerEvidence& power, ProfiledRun& run);

}  // namespace enprof
