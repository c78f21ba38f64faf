// What experiments claim holds on a simulated machine: a small version of what enprof_rigor does.
// Seeds are fixed, so that the figures are the same on each machine.
#include "support/simulated_experiment.hpp"

#include <gtest/gtest.h>

namespace enprof::testing {
namespace {

constexpr int kExperiments = 80;

TEST(Rigor, IntervalsHoldTheTruthOnAMachineWithFaults) {
  const SimulatedRates rates = simulate_many({.difference = 0.02}, kExperiments, 1);
  EXPECT_GE(rates.mean_holds, 90.0);
  EXPECT_LE(rates.mean_holds, 99.0);
  EXPECT_GE(rates.change_holds, 90.0);
  EXPECT_LE(rates.change_holds, 99.0);
  EXPECT_GT(rates.left_out, 3.0) << "faults were planted";
  EXPECT_LT(rates.left_out, 20.0);
}

TEST(Rigor, ADifferenceIsFoundAsOftenAsTheDryRunPredicts) {
  const SimulatedRates rates = simulate_many({.difference = 0.02, .repeats = 5}, kExperiments, 1);
  EXPECT_NEAR(rates.found, rates.power, 12.0);
}

TEST(Rigor, EqualModelsAreSeldomCalledDifferent) {
  constexpr int kMore = 200;  // of few, a single one more is a per cent
  const SimulatedRates rates = simulate_many({.difference = 0.0}, kMore, 1);
  EXPECT_LE(rates.found, 9.0);
  EXPECT_LE(rates.alarms, 5.0);
}

TEST(Rigor, WithoutFaultsNothingIsLeftOut) {
  const PlantedFaults none{.throttled = 0.0, .loaded = 0.0, .outliers = 0.0};
  const SimulatedRates rates = simulate_many({.difference = 0.0, .faults = none}, 50, 1);
  EXPECT_EQ(rates.left_out, 0.0);
}

}  // namespace
}  // namespace enprof::testing
