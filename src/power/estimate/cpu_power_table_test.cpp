#include "power/estimate/cpu_power_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace enprof {
namespace {

double tdp_of(std::string_view name) {
  const CpuRating* rating = find_cpu_rating(name);
  return rating != nullptr ? rating->tdp.value() : -1;
}

TEST(CpuPowerTable, FindsAPartInTheNameThatItGivesItself) {
  EXPECT_EQ(tdp_of("AMD EPYC 9554 64-Core Processor"), 360);
  EXPECT_EQ(tdp_of("Intel Xeon Platinum 8380 CPU"), 270);
  EXPECT_EQ(tdp_of("Intel Xeon CPU E5-2680 v4"), 120);
  EXPECT_EQ(tdp_of("13th Gen Intel Core i7-13700K"), 125);
  EXPECT_EQ(tdp_of("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S"), 55);
  EXPECT_EQ(find_cpu_rating("AMD EPYC 9554 64-Core Processor")->logical_cpus, 128U);
}

TEST(CpuPowerTable, TakesWholeWordsOnlyAndTheLongestMatch) {
  EXPECT_EQ(tdp_of("Apple M1"), 15);
  EXPECT_EQ(tdp_of("Apple M1 Max"), 30);
  EXPECT_EQ(tdp_of("AMD Ryzen 7 5800X3D 8-Core Processor"), 105);
  EXPECT_EQ(tdp_of("Intel Xeon Gold 6248R CPU"), 205);
  EXPECT_EQ(tdp_of("Intel Xeon Gold 6248 CPU"), 150);
  EXPECT_EQ(tdp_of("Intel Xeon Platinum 8480 CPU"), -1);
  EXPECT_EQ(tdp_of("Intel Xeon Platinum 8480+"), 350);
  EXPECT_EQ(tdp_of("AMD EPYC 95540"), -1);
}

TEST(CpuPowerTable, AnEpycForOneSocketIsRatedAsThatForTwo) {
  EXPECT_EQ(tdp_of("AMD EPYC 7502P 32-Core Processor"), 180);
  EXPECT_EQ(tdp_of("AMD EPYC 7502PX 32-Core Processor"), -1);
}

TEST(CpuPowerTable, NamesWithoutAPartHaveNone) {
  EXPECT_EQ(tdp_of("AMD EPYC"), -1);
  EXPECT_EQ(tdp_of("Intel Xeon Processor (Skylake, IBRS)"), -1);
  EXPECT_EQ(tdp_of(""), -1);
}

TEST(CpuPowerTable, EachPartIsFoundByItsOwnNameAndIsPlausible) {
  for (const CpuRating& rating : cpu_ratings()) {
    EXPECT_EQ(find_cpu_rating(rating.name), &rating) << rating.name;
    EXPECT_GE(rating.logical_cpus, 4U) << rating.name;
    const double per_cpu = rating.tdp.value() / rating.logical_cpus;
    EXPECT_GT(per_cpu, 0.9) << rating.name;
    EXPECT_LT(per_cpu, 9.0) << rating.name;
  }
}

TEST(CpuPowerTable, AnUnlistedPartGetsTheMedianOfItsFamily) {
  const auto median = [](auto of_family) {
    std::vector<double> values;
    for (const CpuRating& rating : cpu_ratings()) {
      if (of_family(rating.name)) {
        values.push_back(rating.tdp.value() / rating.logical_cpus);
      }
    }
    std::ranges::sort(values);
    return std::round(2 * values[values.size() / 2]) / 2;
  };
  const auto begins = [](auto... prefixes) {
    return [=](std::string_view name) { return (name.starts_with(prefixes) || ...); };
  };
  EXPECT_EQ(typical_power_per_cpu("AMD EPYC").value(), median(begins("EPYC")));
  EXPECT_EQ(typical_power_per_cpu("Intel Xeon Processor (Icelake)").value(),
            median(begins("E5-", "Silver", "Gold", "Platinum", "CPU Max", "Xeon", "w9")));
  EXPECT_EQ(typical_power_per_cpu("AMD Ryzen 3 1200").value(), median(begins("Ryzen")));
  EXPECT_EQ(typical_power_per_cpu("AMD Ryzen Threadripper 1950X 16-Core").value(),
            median(begins("Threadripper")));
  EXPECT_EQ(typical_power_per_cpu("Intel Core i3-4000").value(),
            median(begins("i5", "i7", "i9", "Ultra")));
  EXPECT_EQ(typical_power_per_cpu("Apple M9").value(), median(begins("Apple")));
}

TEST(CpuPowerTable, EvenAnUnknownFamilyGetsSomething) {
  EXPECT_GT(typical_power_per_cpu("").value(), 0);
  EXPECT_GT(typical_power_per_cpu("Zhaoxin KaiXian 64-Core").value(), 0);
  EXPECT_EQ(typical_power_per_cpu("Arm Neoverse-N1").value(), 2.6);
}

}  // namespace
}  // namespace enprof
