// An NVML energy counter, as a StepLock reads it.
#pragma once

#include "power/counter/counter_input.hpp"
#include "power/nvml/nvml_library.hpp"

#include <string>
#include <utility>

namespace enprof {

/// Counts are millijoules. Remembers what the library said last: its error code tells a GPU that is
/// lost from one that was busy. Threads: one at a time.
class NvmlInput final : public CounterInput {
 public:
  NvmlInput(const NvmlLibrary& library, nvml::Device device)
      : library_(&library), device_(device) {}

  [[nodiscard]] Result<std::uint64_t> read() override {
    const auto energy = library_->total_energy_mj(device_);
    result_ = energy ? nvml::Return::success : energy.error();
    if (!energy) {
      return std::unexpected(library_->error(energy.error(), "its energy counter"));
    }
    return *energy;
  }
  [[nodiscard]] nvml::Return result() const { return result_; }

 private:
  const NvmlLibrary* library_;
  nvml::Device device_;
  nvml::Return result_ = nvml::Return::success;
};

}  // namespace enprof
