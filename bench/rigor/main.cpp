// Simulated experiments: whether what they claim holds. Prints a table in Markdown.
#include "support/simulated_experiment.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using enprof::testing::PlantedFaults;
using enprof::testing::SimulatedExperiment;
using enprof::testing::SimulatedRates;

struct Case {
  const char* name;
  SimulatedExperiment experiment;
};

constexpr PlantedFaults kNoFaults{
    .trend = 0.0, .wander = 0.0, .throttled = 0.0, .loaded = 0.0, .outliers = 0.0};
constexpr PlantedFaults kExact{.scale = 0.0};

int run(int count, std::uint64_t seed) {
  const std::array cases{Case{"all faults, 2 %, 10 runs", {.difference = 0.02, .repeats = 10}},
                         Case{"all faults, 2 %, 5 runs", {.difference = 0.02, .repeats = 5}},
                         Case{"all faults, 2 %, 30 runs", {.difference = 0.02, .repeats = 30}},
                         Case{"all faults, equal, 10 runs", {.difference = 0.0, .repeats = 10}},
                         Case{"all faults, equal, 5 runs", {.difference = 0.0, .repeats = 5}},
                         Case{"all faults, an exact sensor, 2 %, 10 runs",
                              {.difference = 0.02, .repeats = 10, .faults = kExact}},
                         Case{"spread and scale alone, 2 %, 10 runs",
                              {.difference = 0.02, .repeats = 10, .faults = kNoFaults}},
                         Case{"all faults, 2 %, until 1 %, 30 runs at most",
                              {.difference = 0.02, .repeats = 30, .precision = 0.01}}};
  fmt::print(
      "| {} experiments of two points each | energy held | difference held | found | predicted | "
      "alarm | runs left out |\n|---|--:|--:|--:|--:|--:|--:|\n",
      count);
  for (const Case& each : cases) {
    const SimulatedRates rates = enprof::testing::simulate_many(each.experiment, count, seed);
    // Runs end when they are precise: how many there will be is not known before.
    const std::string power =
        each.experiment.precision ? "–" : fmt::format("{:.1f} %", rates.power);
    fmt::print("| {} | {:.1f} % | {:.1f} % | {:.1f} % | {} | {:.1f} % | {:.1f} % |\n", each.name,
               rates.mean_holds, rates.change_holds, rates.found, power, rates.alarms,
               rates.left_out);
    std::fflush(stdout);
  }
  return std::ferror(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 500;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (count < 1) {
    std::fputs("usage: enprof_rigor [COUNT [FIRST_SEED]]\n", stderr);
    return 2;
  }
  return run(count, seed);
}
