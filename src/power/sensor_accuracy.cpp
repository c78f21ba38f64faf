#include "power/sensor_accuracy.hpp"

#include <numbers>

namespace enprof {
namespace {

/// If a maker gives limits ±a and no more is known, each value within them is as likely
/// (JCGM 100:2008, 4.3.7).
constexpr double within_limits(double limit) { return limit / std::numbers::sqrt3; }

/// Comparisons of RAPL with meters report differences of 3 to 5 % for whole packages under load;
/// we take the larger one as standard uncertainty, because AMD's counters, and Intel's before
/// Haswell, are models of activity rather than measurements (Schöne et al., arXiv:2108.00808).
constexpr double kRaplPackage = 0.05;
/// Cores and uncore are parts of what the voltage regulators measure, and no comparison that we
/// know separates them: twice that.
constexpr double kRaplPart = 0.10;
/// Memory follows a meter's course with an offset that differs between machines (Desrochers et al.,
/// MEMSYS 2016, doi:10.1145/2989081.2989088). We assume limits of ±20 %.
constexpr double kRaplMemory = within_limits(0.20);
/// NVML documents ±5 % of the current draw (nvmlDeviceGetPowerUsage), and comparisons with meters
/// find errors in proportion to power (Yang et al., arXiv:2312.02741).
constexpr double kNvml = within_limits(0.05);

}  // namespace

std::optional<double> published_uncertainty(const Domain& domain) {
  if (domain.method == Method::estimated) {
    return std::nullopt;
  }
  if (domain.source == "nvml") {
    return kNvml;
  }
  if (domain.source != "rapl") {
    return std::nullopt;
  }
  switch (domain.kind) {
    case DomainKind::psys:
    case DomainKind::package:
    case DomainKind::cpu:
      return kRaplPackage;
    case DomainKind::core:
    case DomainKind::uncore:
      return kRaplPart;
    case DomainKind::dram:
      return kRaplMemory;
    default:
      return std::nullopt;
  }
}

}  // namespace enprof
