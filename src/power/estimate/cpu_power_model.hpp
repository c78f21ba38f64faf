// A power model of the machine's CPUs, from their names and ratings.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/cpu_identity.hpp"

#include <optional>
#include <string>

namespace enprof {

/// CPU power = idle + (full − idle) × utilization.
struct CpuPowerModel {
  Watts idle;
  Watts full;
  std::string origin;  ///< where the numbers come from, for people

  /// Idle power as a share of the rated power, if the user gives none. Cloud Carbon Footprint's
  /// coefficients, which come from SPECpower results of whole fleets, give 0.15 (Xeon, Skylake) to
  /// 0.28 (EPYC, second generation) as the ratio of least to most watts for each CPU.
  static constexpr double kIdleShare = 0.2;
};

/// The model of a machine that sees this many logical CPUs.
/// - full: `tdp`; else the rating of the CPU by its name × its sockets. A virtual machine gets a
///   share of the rating by its number of CPUs. A CPU that is not in the table counts as that many
///   CPUs of its family (typical_power_per_cpu).
/// - idle: `idle`; else kIdleShare of full.
/// Errors: invalid_argument for watts that are not a power, or if idle is above full.
[[nodiscard]] Result<CpuPowerModel> make_cpu_power_model(const CpuIdentity& cpu,
                                                         unsigned logical_cpus,
                                                         std::optional<Watts> tdp,
                                                         std::optional<Watts> idle);

}  // namespace enprof
