// Finds the energy and power channels of the hwmon tree, and says what each of them covers.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// How a channel's files give power or energy (Linux, Documentation/hwmon/sysfs-interface.rst).
enum class HwmonWay : std::uint8_t {
  energy,           ///< energyN_input: µJ, cumulative
  average_power,    ///< powerN_average over powerN_average_interval: µW, ms
  power,            ///< powerN_input; or an average over a time that nobody tells: µW
  volts_times_amps  ///< inN_input × currN_input: mV, mA
};

/// One domain and the files that give it.
struct HwmonChannel {
  struct Input {
    std::filesystem::path value;    ///< energy, power, or voltage
    std::filesystem::path current;  ///< volts_times_amps only
  };

  Domain domain;
  HwmonWay way = HwmonWay::power;
  std::vector<Input> inputs;  ///< what they give is added up: two power supplies
  Nanoseconds averaging{0};   ///< average_power
  Nanoseconds renewal{0};     ///< how often the sensor has a new value at the latest
  /// A counter below it wraps after so much: more between two readings is not known.
  std::optional<Joules> reach;
  std::string label;  ///< for people: "amdgpu PPT"
};

struct HwmonChannels {
  std::vector<HwmonChannel> channels;
  std::vector<std::string> notes;  ///< what was left out, and why
};

/// What is told apart below <sysfs_root>/class/hwmon, by the chip's `name` and the channel's label:
///
/// - `amdgpu`: a card is gpu-N, its chip's power (PPT). "On APUs this includes the CPU" (kernel,
///   amdgpu_pm.c): then it is package-0, which RAPL measures, too. Only APUs have the voltage
///   vddnb. A second die that says 0 W is left out: the first gives both.
/// - `i915`, `xe`: Intel's cards count energy: gpu-N.
/// - `amd_energy`, `zenergy`: the same registers as RAPL, of each socket: package-N. Their cores
/// are
///   left out.
/// - `corsairpsu`: what the power supply gives ("power total"); `power_meter`: what ACPI's meter
///   sees, where there is one: psys, the whole machine. Several supplies are added up.
/// - `ina3221`, of which only voltage and current can be read, and all others: a rail of the board.
///   VDD_IN and POM_5V_IN, a Jetson's inputs, are psys; of the rest nobody knows what it contains
///   or what contains it (`other`, unclear): it is shown and never added to what is known. The one
///   with the highest power comes first: where there is nothing else, it stands alone.
/// - Batteries and chargers (class power_supply) appear here, too; they are left to `battery`.
///
/// Errors: not_found, where there is no tree or no channel in it; permission_denied.
[[nodiscard]] Result<HwmonChannels> find_hwmon_channels(const std::filesystem::path& sysfs_root);

/// µW; or mV × mA, where it has a current. Opens the files. Errors: as read_whole_number.
[[nodiscard]] Result<Watts> read_power(const HwmonChannel::Input& input);

}  // namespace enprof
