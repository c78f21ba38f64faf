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

/// The initialized library. Its handles are valid as long as this object lives.
///
/// The library counts initializations itself, so that other code in the process (llama.cpp's CUDA
/// backend, a second NvmlLibrary) may use it too. It is unloaded after a successful shutdown. If
/// the shutdown fails, the library stays loaded, because its code may still run.
///
/// Threads: any may call anything at any time; NVML is documented to be thread-safe.
class NvmlLibrary {
 public:
  template <class T>
  using Answer = std::expected<T, nvml::Return>;

  /// Errors: not_found if there is no library; unavailable if it is not NVIDIA's, or if the driver
  /// is not loaded or has another version; permission_denied.
  [[nodiscard]] static Result<std::unique_ptr<NvmlLibrary>> open(const std::filesystem::path& path);

  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary();

  /// For example 550.54.15; empty if the library does not say.
  [[nodiscard]] std::string driver_version() const;
  [[nodiscard]] Answer<unsigned> device_count() const;
  [[nodiscard]] Answer<nvml::Device> device(unsigned index) const;
  [[nodiscard]] Answer<nvml::Device> device(const std::string& uuid) const;
  [[nodiscard]] Answer<std::string> uuid(nvml::Device device) const;
  [[nodiscard]] Answer<std::string> name(nvml::Device device) const;
  [[nodiscard]] Answer<unsigned> architecture(nvml::Device device) const;
  /// Major and minor, such as 8 and 0.
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

  /// The limit that the driver holds the GPU's power to, in mW, and the bounds that it may have.
  [[nodiscard]] Answer<unsigned> power_limit_mw(nvml::Device device) const;
  [[nodiscard]] Answer<std::pair<unsigned, unsigned>> power_limit_range_mw(
      nvml::Device device) const;
  [[nodiscard]] Answer<void> set_power_limit(nvml::Device device, unsigned milliwatts) const;

  [[nodiscard]] bool is_split(nvml::Device device) const;
  /// How many MIG instances it may have; not every slot is in use.
  [[nodiscard]] unsigned mig_slots(nvml::Device device) const;
  [[nodiscard]] Answer<nvml::Device> mig_instance(nvml::Device device, unsigned slot) const;

  /// "GPU is lost (NVML error 15)".
  [[nodiscard]] std::string describe(nvml::Return result) const;
  /// An error for a result; its message begins with `tried`.
  [[nodiscard]] Error error(nvml::Return result, const std::string& tried) const;

 private:
  NvmlLibrary(void* handle, const nvml::Functions& functions)
      : handle_(handle), functions_(functions) {}

  void* handle_;
  nvml::Functions functions_;
};

}  // namespace enprof
