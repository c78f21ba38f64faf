// What a machine's CPUs draw at a given utilization, as far as names and ratings can tell.
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

  /// Idle power as a share of the rated one, where nobody says better. Cloud Carbon Footprint's
  /// coefficients, which come from SPECpower results of whole fleets, give 0.15 (Xeon, Skylake) to
  /// 0.28 (EPYC, second generation) as the ratio of least to most watts for each CPU.
  static constexpr double kIdleShare = 0.2;
};

/// The model of a machine that sees so many logical CPUs.
/// - full: `tdp`; else the rating of the CPU by its name, times its sockets. A virtual machine gets
///   the share of the part that its CPUs are. A CPU that is not in the table counts as so many CPUs
///   of its family (typical_power_per_cpu).
/// - idle: `idle`; else kIdleShare of it.
/// Errors: invalid_argument, for watts that are no power or an idle power above the full one.
[[nodiscard]] Result<CpuPowerModel> make_cpu_power_model(const CpuIdentity& cpu,
                                                         unsigned logical_cpus,
                                                         std::optional<Watts> tdp,
                                                         std::optional<Watts> idle);

}  // namespace enprof
