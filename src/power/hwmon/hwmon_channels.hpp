// Finds the energy and power channels of the hwmon tree, and what each of them covers.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/power/power_source.hpp"

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
  power,            ///< powerN_input; or an average over a time that is not known: µW
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

/// What cannot be measured, or only in part: PowerSource::faults().
struct HwmonFault {
  Incident incident;
  DomainKind kind = DomainKind::other;  ///< of what it is about
};

struct HwmonChannels {
  std::vector<HwmonChannel> channels;
  std::vector<std::string> notes;  ///< what is not read as it need not be
  std::vector<HwmonFault> faults;
};

/// The channels that are known below <sysfs_root>/class/hwmon, by the chip's `name` and the
/// channel's label:
///
/// - `amdgpu`: a card is gpu-N, its chip's power (PPT). "On APUs this includes the CPU" (kernel,
///   amdgpu_pm.c): then it is package-0, which RAPL measures, too. Only APUs have the voltage
///   vddnb. A second die that reports 0 W is left out: the first reports both.
/// - `i915`, `xe`: Intel's cards count energy: gpu-N.
/// - `amd_energy`, `zenergy`: the same registers as RAPL, for each socket: package-N. Their cores
///   are left out. A socket that cannot be read stays in the list, so that the coverage shows that
///   its energy is missing.
/// - `corsairpsu`: what the power supply gives ("power total"); `power_meter`: what ACPI's meter
///   sees, where there is one: psys, the whole machine. Several supplies are added up; where one of
///   them cannot be read, the others are rails.
/// - `ina3221`, of which only voltage and current can be read, and all others: a rail of the board.
///   VDD_IN and POM_5V_IN, a Jetson's inputs, are psys. For a few boards it is known which rails
///   make up the whole (known_rails): they are added up to a module-N or package-N, and lie in it.
///   For the rest it is not known which contains which (`other`, unclear): each is shown, not added
///   to what is known. The one with the highest power comes first: where there is nothing else, it
///   stands alone.
/// - Batteries and chargers (class power_supply) appear here, too; they are left to `battery`.
///
/// An impossible value (kPartLimit, kMachineLimit; ACPI's 0xFFFFFFFF mW for an unknown value; a
/// negative one) is not a reading. Faults: sensor_left_out, rails_added.
///
/// Errors: not_found, where there is no tree or no channel in it; permission_denied.
[[nodiscard]] Result<HwmonChannels> find_hwmon_channels(const std::filesystem::path& sysfs_root);

/// More than a part of a machine draws, and than a machine.
inline constexpr Watts kHwmonPartLimit{5'000};
inline constexpr Watts kHwmonMachineLimit{20'000};

/// µW; or mV × mA, where it has a current. Opens the files. Errors: as read_whole_number.
[[nodiscard]] Result<Watts> read_power(const HwmonChannel::Input& input);

}  // namespace enprof
