// Finds out what NVML can measure on this machine, and by which of its ways.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"

#include "power/nvml/nvml_api.hpp"
#include "power/nvml/nvml_library.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// By what a domain is read, the best first.
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

/// One GPU, for what is read beside energy.
struct NvmlGpu {
  nvml::Device device = nullptr;
  std::string uuid;
  std::size_t channel = 0;  ///< whose domain the readings are said of
};

struct NvmlDevices {
  unsigned count = 0;  ///< of GPUs, as NVML gives it
  std::vector<NvmlChannel> channels;
  std::vector<NvmlGpu> gpus;
  std::vector<std::string> notes;  ///< what cannot be read, and why
};

/// Every GPU that has a sensor, as gpu-N by NVML's number, with its UUID.
///
/// - MIG. Instances have no sensors of their own on any GPU known: their handles, where they
/// answer,
///   give the whole GPU's (github.com/guilbaults/slurm-job-exporter, pull request 55; arXiv
///   2501.17752). So the GPU is read, and its label names the instances. Only an instance that
///   gives other values than its GPU becomes a domain, mig-N-I, within it. Where the GPU itself may
///   not be read, as in a container, it is read through an instance, once.
/// - Modules. On a Grace Hopper the energy counter counts the whole module, CPU and memory included
///   (github.com/ml-energy/zeus, pull request 172): it becomes module-N, and gpu-N, within it, is
///   integrated from power in GPU scope. A GPU has a module where its power in module scope can be
///   read. Where several GPUs of a newer make than Hopper do, one module may hold two of them, and
///   nothing says which: modules are left out then.
///
/// Errors: not_found, where there is no GPU; else what the sensor of the first said.
[[nodiscard]] Result<NvmlDevices> find_nvml_devices(const NvmlLibrary& library);

/// Reads power by one of the ways that give it.
[[nodiscard]] NvmlLibrary::Answer<Watts> read_nvml_power(const NvmlLibrary& library,
                                                         const NvmlChannel& channel);

}  // namespace enprof
