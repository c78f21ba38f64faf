// Finds out what NVML can measure on this machine, and how.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/power/power_source.hpp"

#include "power/nvml/nvml_api.hpp"
#include "power/nvml/nvml_library.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// How a domain is read, the best way first.
enum class NvmlWay : std::uint8_t {
  energy_counter,  ///< nvmlDeviceGetTotalEnergyConsumption: Volta and newer
  instant_field,   ///< NVML_FI_DEV_POWER_INSTANT
  instant_usage,   ///< nvmlDeviceGetPowerUsage of GA100 and older: instantaneous
  average_usage,   ///< the same of Ampere (except GA100) and newer: mean over a second
  average_field,   ///< NVML_FI_DEV_POWER_AVERAGE: mean over a second
};
[[nodiscard]] bool is_mean(NvmlWay way);

/// One domain and how to read it.
struct NvmlChannel {
  Domain domain;
  nvml::Device device = nullptr;
  NvmlWay way = NvmlWay::energy_counter;
  unsigned scope = nvml::kScopeGpu;  ///< of a power field
  std::string label;                 ///< for people: "NVIDIA A100-SXM4-80GB, whole board"
};

/// One GPU, for readings other than energy.
struct NvmlGpu {
  nvml::Device device = nullptr;
  std::string uuid;
  std::size_t channel = 0;  ///< the channel whose domain the readings belong to
};

struct NvmlDevices {
  unsigned count = 0;  ///< NVML's number of GPUs
  std::vector<NvmlChannel> channels;
  std::vector<NvmlGpu> gpus;
  std::vector<std::string> notes;  ///< what cannot be read, and why
  std::vector<Incident> faults;    ///< PowerSource::faults(): sensor_left_out
};

/// Every GPU that has a sensor, as gpu-N by NVML's number, with its UUID.
///
/// - MIG. Instances have no sensors of their own on any known GPU: their handles, if they answer at
///   all, return the whole GPU's values (github.com/guilbaults/slurm-job-exporter, pull request 55;
///   arXiv 2501.17752). So the GPU is read, and its label names the instances. Only an instance
///   that returns other values than its GPU becomes a domain, mig-N-I, inside it. If the GPU itself
///   may not be read, as in a container, it is read once, through an instance.
/// - Modules. On a Grace Hopper the energy counter counts the whole module, including CPU and
///   memory (github.com/ml-energy/zeus, pull request 172): it becomes module-N, and gpu-N, inside
///   it, is integrated from power in GPU scope. A GPU has a module if its power in module scope can
///   be read. If this is true of several GPUs newer than Hopper, one module may hold two of them,
///   and the driver does not tell which: modules are then left out.
///
/// Errors: not_found if there is no GPU; else the error of the first GPU's sensor.
[[nodiscard]] Result<NvmlDevices> find_nvml_devices(const NvmlLibrary& library);

/// The way to read a domain's power where its energy counter does not count; empty where there is
/// none.
[[nodiscard]] std::optional<NvmlWay> find_power_way(const NvmlLibrary& library,
                                                    const NvmlChannel& channel);

/// Reads power by one of the ways that give it.
[[nodiscard]] NvmlLibrary::Answer<Watts> read_nvml_power(const NvmlLibrary& library,
                                                         const NvmlChannel& channel);

}  // namespace enprof
