#pragma once

#include <cstdint>

namespace enprof::bench {

/// Seeds of the simulated programs and sensors: `count` from `first` on.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t count = 3;
};

/// Prints the figures accuracy.*: how far energies are from the truth of the simulator, for each
/// sensor, level and method.
void bench_accuracy(const SeedRange& seeds);

}  // namespace enprof::bench
