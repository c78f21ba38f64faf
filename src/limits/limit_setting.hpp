// One limit of the machine that can be read and set.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Where a limit is, and a value of it. A file holds one whole number (a sysfs attribute); a GPU is
/// named by its UUID, and its value is in milliwatts (nvmlDeviceSetPowerManagementLimit).
struct LimitSetting {
  enum class Kind : std::uint8_t { file, gpu };
  Kind kind = Kind::file;
  std::string target{};   ///< the path, or the UUID
  std::string library{};  ///< NVML's, for a GPU
  std::int64_t value = 0;

  friend bool operator==(const LimitSetting&, const LimitSetting&) = default;
};

/// The value that the machine has now. Errors: those of the file or of NVML.
[[nodiscard]] Result<std::int64_t> read_limit(const LimitSetting& setting);
/// Sets the value and reads it back. Hardware rounds: a value counts as set within kRounding of it.
/// Errors: those of the file or of NVML; unavailable if the machine shows another value, as a
/// firmware that locks its limits does.
inline constexpr double kRounding = 0.02;
[[nodiscard]] Result<void> write_limit(const LimitSetting& setting);
/// Whether this user may set it, without changing anything. Errors: permission_denied, and what
/// read_limit() returns.
[[nodiscard]] Result<void> check_limit(const LimitSetting& setting);

/// On one line, for the guard's pipe, and back. Errors: malformed.
[[nodiscard]] std::string settings_to_json(const std::vector<LimitSetting>& settings);
[[nodiscard]] Result<std::vector<LimitSetting>> settings_from_json(std::string_view text);

}  // namespace enprof
