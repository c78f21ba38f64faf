// A square wave of CPU load.
#pragma once

#include "square_load.hpp"

#include <vector>

namespace enprof::hardware {

/// Threads, each pinned to a CPU, that multiply and add while the load is on and sleep while it is
/// off. The sampler keeps the CPUs that they leave.
class CpuLoad final : public SquareLoad {
 public:
  explicit CpuLoad(std::vector<int> cpus) : cpus_(std::move(cpus)) {}
  /// All CPUs that this process may use but the last, or the only one.
  [[nodiscard]] static std::vector<int> usual_cpus();

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] Result<LoadCourse> run(Instant begin, Nanoseconds half, std::size_t count) override;

 private:
  std::vector<int> cpus_;
};

}  // namespace enprof::hardware
