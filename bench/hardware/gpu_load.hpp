// A square wave of GPU load, through CUDA's driver.
#pragma once

#include "cuda_driver.hpp"
#include "square_load.hpp"

#include <memory>

namespace enprof::hardware {

/// Kernels of about 2 ms, one after the other while the load is on.
/// Threads: the one that opened the driver.
class GpuLoad final : public SquareLoad {
 public:
  /// Finds out how many rounds take 2 ms.
  [[nodiscard]] static Result<std::unique_ptr<GpuLoad>> open(std::unique_ptr<CudaDriver> driver);

  [[nodiscard]] std::string description() const override { return driver_->name(); }
  [[nodiscard]] Result<LoadCourse> run(Instant begin, Nanoseconds half, std::size_t count) override;

 private:
  explicit GpuLoad(std::unique_ptr<CudaDriver> driver) : driver_(std::move(driver)) {}
  [[nodiscard]] Result<void> calibrate();

  std::unique_ptr<CudaDriver> driver_;
  std::uint32_t rounds_ = 1000;
};

}  // namespace enprof::hardware
