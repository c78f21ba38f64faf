// One document of Apple's powermetrics.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// The parts of a machine that powermetrics measures.
enum class PowermetricsRail : std::uint8_t {
  soc,      ///< "combined": CPU, GPU and ANE together (Apple silicon)
  cpu,      ///< (Apple silicon)
  gpu,      ///< (Apple silicon)
  ane,      ///< the neural engine (Apple silicon)
  dram,     ///< if present: recent chips do not report it
  package,  ///< the whole CPU package with its GPU (Intel)
};
inline constexpr std::size_t kPowermetricsRails = 6;
/// The rail's domain: soc, cpu, gpu, ane, dram, package-0.
[[nodiscard]] std::string_view domain_name(PowermetricsRail rail) noexcept;

/// The energies of a window of time, and the state at its end. A value is empty if the document
/// does not have it, or if it is impossible: not a number, infinite, negative, or above
/// kPowerLimit.
struct PowermetricsSample {
  Nanoseconds elapsed{0};                                          ///< the window's length
  std::array<std::optional<Joules>, kPowermetricsRails> energies;  ///< by rail
  std::size_t refused = 0;                                         ///< impossible values
  std::optional<double> thermal_pressure;                          ///< as SensorQuantity counts it
  std::optional<double> gpu_utilization;                           ///< 0–1
  std::optional<double> gpu_clock_hz;

  [[nodiscard]] const std::optional<Joules>& energy(PowermetricsRail rail) const {
    return energies[static_cast<std::size_t>(rail)];
  }
};

/// More than a Mac can draw.
inline constexpr Watts kPowermetricsPowerLimit{5'000};
/// Documents have some ten kilobytes; a larger one than this is refused.
inline constexpr std::size_t kPowermetricsDocumentLimit = std::size_t{1} << 20U;

/// Parses one XML property list of `powermetrics -f plist --samplers cpu_power,gpu_power,thermal`.
/// Keys below `processor`: {combined,cpu,gpu,ane,dram}_power in milliwatts, the mean over the
/// window; if a power is missing, {…}_energy in millijoules; on Intel package_joules, or
/// package_watts. Early systems have package_power instead of combined_power. Below `gpu`:
/// idle_ratio, freq_hz. At the top: elapsed_ns, thermal_pressure.
///
/// libplist reads `<integer>junk</integer>` as 0: so a document with an invalid number is refused
/// as a whole. Error: malformed.
[[nodiscard]] Result<PowermetricsSample> parse_powermetrics_sample(std::string_view document);

}  // namespace enprof
