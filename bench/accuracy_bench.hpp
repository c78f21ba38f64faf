#pragma once

#include <cstdint>
#include <string_view>

namespace enprof::bench {

/// Seeds of the simulated programs and sensors: `count` from `first` on.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t count = 3;
};
/// The seeds that the method was developed with.
inline constexpr SeedRange kDevelopmentSeeds{.first = 1, .count = 3};
/// Chosen beforehand, and run once, when the method was finished.
inline constexpr SeedRange kHeldOutSeeds{.first = 77001, .count = 10};

/// Models of sensors by two independent hands.
enum class Simulator {
  sim,    ///< bench/sim
  papers  ///< bench/papers
};

/// Prints the figures PREFIX.SENSOR.LEVEL.METHOD: the errors of energies against the simulator's
/// truth.
void bench_accuracy(std::string_view prefix, const SeedRange& seeds, Simulator simulator);
/// The same for the seeds of development and the held-out ones, and both simulators: the prefixes
/// are accuracy, heldout, papers and papers_heldout.
void bench_accuracy();

/// The figures replay_DIFFERENCE.SENSOR.LEVEL.METHOD for slow sensors: how accurate a calibration
/// is, if a class that runs alone differs so much from the same class in a pass.
void bench_replay_differences(const SeedRange& seeds);

}  // namespace enprof::bench
