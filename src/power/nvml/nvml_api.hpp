// The part of NVIDIA's management library (NVML) that enprof uses, declared here so that the build
// needs neither its headers nor the library.
//
// Names, values and layouts are those of nvml.h as NVIDIA publishes it (version 12.2.140, compared
// with older and newer ones, in github.com/NVIDIA/go-nvml, gen/nvml/nvml.h), and of the NVML API
// reference, docs.nvidia.com/deploy/nvml-api. NVIDIA promises never to change them: a changed
// function gets a new name, such as nvmlInit_v2.
#pragma once

#include <cstddef>

namespace enprof::nvml {

/// nvmlReturn_t: the values that we distinguish. There are others.
enum class Return : int {
  success = 0,
  uninitialized = 1,
  invalid_argument = 2,
  not_supported = 3,
  no_permission = 4,
  not_found = 6,
  driver_not_loaded = 9,
  timeout = 10,
  library_not_found = 12,
  function_not_found = 13,
  gpu_is_lost = 15,
  reset_required = 16,
  operating_system = 17,  ///< the device was blocked by the operating system or a control group
  lib_rm_version_mismatch = 18,
  unknown = 999,
};

/// nvmlDevice_t: a GPU, or a MIG instance of one.
using Device = struct DeviceTag*;

/// A buffer size that holds any text: NVML_DEVICE_UUID_V2_BUFFER_SIZE and similar.
inline constexpr std::size_t kTextSize = 96;

/// nvmlUtilization_t: percent of the last sample period, which is 1/6 s to 1 s.
struct Utilization {
  unsigned gpu = 0;     ///< time in which a kernel ran
  unsigned memory = 0;  ///< time in which memory was read or written
};

/// nvmlFieldValue_t.
struct FieldValue {
  unsigned field = 0;
  unsigned scope = 0;
  long long timestamp_us = 0;
  long long latency_us = 0;
  unsigned value_type = 0;
  Return result = Return::unknown;
  union {
    double as_double;
    unsigned as_unsigned;
    unsigned long as_unsigned_long;
    unsigned long long as_unsigned_long_long = 0;
  };
};
static_assert(sizeof(FieldValue) == 40);

/// NVML_FI_DEV_POWER_AVERAGE: mW, mean over a second; Ampere (except GA100) and newer.
inline constexpr unsigned kFieldPowerAverage = 185;
/// NVML_FI_DEV_POWER_INSTANT: mW; all architectures, according to the header.
inline constexpr unsigned kFieldPowerInstant = 186;

/// nvmlValueType_t: which member of the union holds the value.
inline constexpr unsigned kTypeUnsigned = 1;          // NVML_VALUE_TYPE_UNSIGNED_INT
inline constexpr unsigned kTypeUnsignedLong = 2;      // NVML_VALUE_TYPE_UNSIGNED_LONG
inline constexpr unsigned kTypeUnsignedLongLong = 3;  // NVML_VALUE_TYPE_UNSIGNED_LONG_LONG

/// Scopes of the two fields above. NVML_POWER_SCOPE_MODULE: the module, including an NVIDIA CPU.
inline constexpr unsigned kScopeGpu = 0;
inline constexpr unsigned kScopeModule = 1;

/// nvmlDeviceArchitecture_t.
inline constexpr unsigned kArchAmpere = 7;
inline constexpr unsigned kArchHopper = 9;
inline constexpr unsigned kArchUnknown = 0xffffffff;

inline constexpr unsigned kClockSm = 1;         // NVML_CLOCK_SM; MHz
inline constexpr unsigned kClockMemory = 2;     // NVML_CLOCK_MEM; MHz
inline constexpr unsigned kTemperatureGpu = 0;  // NVML_TEMPERATURE_GPU; °C
inline constexpr unsigned kMigEnabled = 1;      // NVML_DEVICE_MIG_ENABLE

/// The library's functions. A function that this version of the library lacks is null.
struct Functions {
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  const char* (*error_string)(Return) = nullptr;
  Return (*driver_version)(char*, unsigned) = nullptr;
  Return (*device_count)(unsigned*) = nullptr;
  Return (*device_by_index)(unsigned, Device*) = nullptr;
  Return (*device_by_uuid)(const char*, Device*) = nullptr;
  Return (*uuid)(Device, char*, unsigned) = nullptr;
  Return (*name)(Device, char*, unsigned) = nullptr;
  Return (*architecture)(Device, unsigned*) = nullptr;
  Return (*compute_capability)(Device, int*, int*) = nullptr;
  Return (*total_energy)(Device,
                         unsigned long long*) = nullptr;  ///< mJ since the driver was loaded
  Return (*power_usage)(Device, unsigned*) = nullptr;     ///< mW
  Return (*field_values)(Device, int, FieldValue*) = nullptr;
  Return (*utilization)(Device, Utilization*) = nullptr;
  Return (*clock)(Device, unsigned, unsigned*) = nullptr;
  Return (*temperature)(Device, unsigned, unsigned*) = nullptr;
  Return (*throttle_reasons)(Device, unsigned long long*) = nullptr;
  Return (*power_limit)(Device, unsigned*) = nullptr;                   ///< mW
  Return (*power_limit_range)(Device, unsigned*, unsigned*) = nullptr;  ///< mW
  Return (*set_power_limit)(Device, unsigned) = nullptr;                ///< mW; needs root
  Return (*mig_mode)(Device, unsigned*, unsigned*) = nullptr;
  Return (*mig_count)(Device, unsigned*) = nullptr;
  Return (*mig_by_index)(Device, unsigned, Device*) = nullptr;
};

}  // namespace enprof::nvml
