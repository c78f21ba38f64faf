// Small reads of hwmon and power_supply files.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/polled_file.hpp"
#include "power/hwmon_channels.hpp"

#include <cstdint>
#include <filesystem>

namespace enprof {

/// One whole number, which may be negative: a current may flow backwards. Errors: as PolledFile.
[[nodiscard]] Result<std::int64_t> read_whole_number(const PolledFile& file);
[[nodiscard]] Result<std::int64_t> read_whole_number(const std::filesystem::path& path);

/// µW; or mV × mA, where it has a current. Opens the files.
[[nodiscard]] Result<Watts> read_power(const HwmonChannel::Input& input);

}  // namespace enprof
