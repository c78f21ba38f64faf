#pragma once

#include <cstdint>
#include <string_view>

namespace enprof::bench {

/// Seeds of the simulated programs and sensors: `count` from `first` on.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t count = 3;
};
/// The method was made with these in view.
inline constexpr SeedRange kDevelopmentSeeds{.first = 1, .count = 3};
/// Chosen before, and run once it was finished.
inline constexpr SeedRange kHeldOutSeeds{.first = 9001, .count = 10};

/// Prints the figures PREFIX.SENSOR.LEVEL.METHOD: how far energies are from the truth of the
/// simulator.
void bench_accuracy(std::string_view prefix, const SeedRange& seeds);

}  // namespace enprof::bench
