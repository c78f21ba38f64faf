// The energy per floating-point operation and per byte, by class of operation.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/report_page.hpp"

#include <optional>
#include <vector>

namespace enprof {

/// One class of operations on the energy roofline (after Choi, Bedard, Fowler and Vuduc, "A
/// Roofline Model of Energy", IPDPS 2013): energy per FLOP against FLOPs per byte. A value is empty
/// if its energy, FLOPs or bytes are unknown or zero.
struct OperationCost {
  std::optional<double> joules_per_flop;
  std::optional<double> joules_per_byte;
  std::optional<double> flops_per_byte;  ///< arithmetic intensity
  std::optional<double> flops_per_second;
  std::optional<double> bytes_per_second;
};
[[nodiscard]] OperationCost operation_cost(const OperationFigure& operation);

/// The lowest cost of a FLOP and of a byte among the classes of a run: no class lies below
/// max(joules_per_flop, joules_per_byte ÷ flops_per_byte).
struct EnergyRoof {
  double joules_per_flop = 0.0;
  double joules_per_byte = 0.0;

  [[nodiscard]] double at(double flops_per_byte) const;
};
/// Uses the classes with significant energy: more than two standard errors. Empty if there are
/// none.
[[nodiscard]] std::optional<EnergyRoof> energy_roof(const std::vector<OperationFigure>& operations);

/// Writes nothing unless some class of operations has both energy and work.
void write_roofline(ReportPage& page, const ProfiledRun& run);

}  // namespace enprof
