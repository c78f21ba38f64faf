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

/// What powermetrics tells apart.
enum class PowermetricsRail : std::uint8_t {
  soc,      ///< "combined": CPU, GPU and ANE together (Apple silicon)
  cpu,      ///< (Apple silicon)
  gpu,      ///< (Apple silicon)
  ane,      ///< the neural engine (Apple silicon)
  dram,     ///< where present: recent chips do not say
  package,  ///< the whole CPU package with its GPU (Intel)
};
inline constexpr std::size_t kPowermetricsRails = 6;
/// The domain that a rail is: soc, cpu, gpu, ane, dram, package-0.
[[nodiscard]] std::string_view domain_name(PowermetricsRail rail) noexcept;

/// What was used in a window of time, and the state at its end. Empty is what the document does not
/// hold, or holds a value for that cannot be: not a number, infinite, negative, or more than
/// kPowerLimit.
struct PowermetricsSample {
  Nanoseconds elapsed{0};                                          ///< the window's length
  std::array<std::optional<Joules>, kPowermetricsRails> energies;  ///< by rail
  std::size_t refused = 0;                                         ///< values that cannot be
  std::optional<double> thermal_pressure;                          ///< as SensorQuantity counts it
  std::optional<double> gpu_utilization;                           ///< 0–1
  std::optional<double> gpu_clock_hz;

  [[nodiscard]] const std::optional<Joules>& energy(PowermetricsRail rail) const {
    return energies[static_cast<std::size_t>(rail)];
  }
};

/// More than a Mac draws.
inline constexpr Watts kPowermetricsPowerLimit{5'000};
/// Documents are some ten kilobytes; a larger one than this is none.
inline constexpr std::size_t kPowermetricsDocumentLimit = std::size_t{1} << 20U;

/// Reads one XML property list of `powermetrics -f plist --samplers cpu_power,gpu_power,thermal`.
/// Keys below `processor`: {combined,cpu,gpu,ane,dram}_power in milliwatts, of which each is the
/// mean over the window, or where there is none, {…}_energy in millijoules; on Intel
/// package_joules, or package_watts. Early systems say package_power for combined_power. Below
/// `gpu`: idle_ratio, freq_hz. At the top: elapsed_ns, thermal_pressure.
///
/// libplist reads `<integer>junk</integer>` as 0: a document with a number that is none is refused
/// as a whole. Error: malformed.
[[nodiscard]] Result<PowermetricsSample> parse_powermetrics_sample(std::string_view document);

}  // namespace enprof
