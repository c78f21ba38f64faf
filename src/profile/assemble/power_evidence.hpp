// What was measured during a run.
#pragma once

#include "enprof/model/calibration.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_monitor.hpp"

#include "attribution/outside_power.hpp"
#include "base/cpu_times.hpp"
#include "base/standstill_watch.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Windows this long before a run's begin and after its end are part of its evidence: they show
/// what the machine drew outside the run, of which windows at the run's edges have a part.
inline constexpr Nanoseconds kOutsideReach = OutsidePowers::kFarthestNeighbour;

/// What was measured during a run.
struct PowerEvidence {
  std::vector<std::string> sources;
  std::vector<Domain> domains;
  /// That overlap the run or lie within kOutsideReach of it, without standstills.
  WindowsByDomain windows;
  std::vector<SensorReading> readings;  ///< taken during the run
  std::optional<IdleBaseline> baseline;
  Nanoseconds interval{0};
  std::vector<CpuSample> cpu;  ///< CPU times from the run's begin to its end; empty if unknown
  /// Share of other processes in the CPU time of the whole run; used if `cpu` does not give it.
  std::optional<double> foreign_cpu_share;
  std::vector<Standstill> standstills;             ///< of the program
  std::shared_ptr<const Calibration> calibration;  ///< null: without one
};

}  // namespace enprof
