// The part of CUDA's driver API that a load needs, declared here so that neither the build nor the
// machine needs CUDA's toolkit: only the driver's libcuda.so.1.
//
// Names and signatures are those of cuda.h, docs.nvidia.com/cuda/cuda-driver-api. NVIDIA keeps
// them: a changed function gets a new name, such as cuMemAlloc_v2.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace enprof::hardware {

/// One GPU with a kernel that multiplies and adds on all of its multiprocessors.
/// Threads: the one that opened it.
class CudaDriver {
 public:
  /// `device` is CUDA's number, in the order of the PCI bus, as NVML's. Errors: not_found if there
  /// is no driver or no such GPU; unavailable with CUDA's reason.
  [[nodiscard]] static Result<std::unique_ptr<CudaDriver>> open(
      const std::filesystem::path& library, int device);
  CudaDriver(const CudaDriver&) = delete;
  CudaDriver& operator=(const CudaDriver&) = delete;
  ~CudaDriver();

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Runs the kernel for so many rounds, and waits for it.
  [[nodiscard]] Result<void> compute(std::uint32_t rounds);

 private:
  struct Functions;
  explicit CudaDriver(std::unique_ptr<Functions> functions);
  [[nodiscard]] Result<void> set_up(int device);
  [[nodiscard]] Result<void> load_kernel();
  [[nodiscard]] Result<void> check(int result, const char* tried) const;

  std::unique_ptr<Functions> functions_;
  std::string name_;
  int device_ = 0;
  bool has_context_ = false;
  void* module_ = nullptr;
  void* kernel_ = nullptr;
  std::uint64_t memory_ = 0;  // a device pointer
  unsigned blocks_ = 0;
};

}  // namespace enprof::hardware
