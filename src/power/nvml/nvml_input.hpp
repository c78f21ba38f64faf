// An NVML energy counter as the input of a StepLock.
#pragma once

#include "power/counter/counter_input.hpp"
#include "power/nvml/nvml_library.hpp"

#include <string>
#include <utility>

namespace enprof {

/// Counts are millijoules. Keeps the library's last result: its code distinguishes a lost GPU from
/// a busy one. Threads: one at a time.
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
