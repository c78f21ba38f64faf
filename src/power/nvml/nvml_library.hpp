// NVIDIA's management library, loaded at run time.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "power/nvml/nvml_api.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace enprof {

/// The library, initialized. Its handles are valid while it lives.
///
/// Initializing is counted by the library itself, so that others in the process (llama.cpp's CUDA
/// backend, a second NvmlLibrary) may use it too. It is unloaded after the last shutdown; where
/// that fails, the library stays loaded: code that may still run must not vanish.
///
/// Threads: any may call anything at any time; NVML is thread-safe by its documentation.
class NvmlLibrary {
 public:
  template <class T>
  using Answer = std::expected<T, nvml::Return>;

  /// Errors: not_found, where there is no library; unavailable, where it is none of NVIDIA's, the
  /// driver is not loaded, or does not fit to it; permission_denied.
  [[nodiscard]] static Result<std::unique_ptr<NvmlLibrary>> open(const std::filesystem::path& path);

  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary();

  /// 550.54.15; empty where the library does not say.
  [[nodiscard]] std::string driver_version() const;
  [[nodiscard]] Answer<unsigned> device_count() const;
  [[nodiscard]] Answer<nvml::Device> device(unsigned index) const;
  [[nodiscard]] Answer<nvml::Device> device(const std::string& uuid) const;
  [[nodiscard]] Answer<std::string> uuid(nvml::Device device) const;
  [[nodiscard]] Answer<std::string> name(nvml::Device device) const;
  [[nodiscard]] Answer<unsigned> architecture(nvml::Device device) const;
  /// Major and minor: 8, 0.
  [[nodiscard]] Answer<std::pair<int, int>> compute_capability(nvml::Device device) const;

  /// Millijoules since the driver was loaded.
  [[nodiscard]] Answer<std::uint64_t> total_energy_mj(nvml::Device device) const;
  [[nodiscard]] Answer<Watts> power_usage(nvml::Device device) const;
  /// A power field of nvml_api.hpp in one of its scopes.
  [[nodiscard]] Answer<Watts> power_field(nvml::Device device, unsigned field,
                                          unsigned scope) const;

  [[nodiscard]] Answer<nvml::Utilization> utilization(nvml::Device device) const;
  [[nodiscard]] Answer<unsigned> clock_mhz(nvml::Device device, unsigned clock) const;
  [[nodiscard]] Answer<unsigned> temperature(nvml::Device device) const;
  [[nodiscard]] Answer<std::uint64_t> throttle_reasons(nvml::Device device) const;

  [[nodiscard]] bool is_split(nvml::Device device) const;
  /// How many MIG instances it may have; not every number below is in use.
  [[nodiscard]] unsigned mig_slots(nvml::Device device) const;
  [[nodiscard]] Answer<nvml::Device> mig_instance(nvml::Device device, unsigned slot) const;

  /// "GPU is lost (NVML error 15)".
  [[nodiscard]] std::string describe(nvml::Return result) const;
  /// An error of that result: what was tried comes first in its message.
  [[nodiscard]] Error error(nvml::Return result, const std::string& tried) const;

 private:
  NvmlLibrary(void* handle, const nvml::Functions& functions)
      : handle_(handle), functions_(functions) {}

  void* handle_;
  nvml::Functions functions_;
};

}  // namespace enprof
