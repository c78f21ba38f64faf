#include "power/window_store.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

std::vector<Domain> domains(std::initializer_list<const char*> names) {
  std::vector<Domain> result;
  for (const char* name : names) {
    result.push_back(domain_from_name(name));
  }
  link_parents(result);
  return result;
}

EnergyWindow window(std::uint16_t domain, Nanoseconds begin, Nanoseconds end, double energy) {
  return {.domain = domain, .begin = kStart + begin, .end = kStart + end, .energy = Joules{energy}};
}

TEST(WindowStore, KeepsWindowsInTheOrderOfTheirBegins) {
  WindowStore store(domains({"package-0", "dram-0"}));
  for (const auto& each : {window(0, 10ms, 20ms, 1), window(1, 0ms, 30ms, 2),
                           window(0, 20ms, 30ms, 3), window(1, 15ms, 40ms, 4)}) {
    EXPECT_TRUE(store.add(each));
  }
  const auto all = store.between(kStart, kStart + 1s);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_DOUBLE_EQ(all[0].energy.value(), 2);
  EXPECT_DOUBLE_EQ(all[1].energy.value(), 1);
  EXPECT_DOUBLE_EQ(all[2].energy.value(), 4);
  EXPECT_DOUBLE_EQ(all[3].energy.value(), 3);
}

TEST(WindowStore, FindsWhatOverlapsHoweverLongItIs) {
  WindowStore store(domains({"cpu", "wall"}));
  EXPECT_TRUE(store.add(window(1, 0ms, 1000ms, 7)));
  for (auto begin = 0ms; begin < 1000ms; begin += 10ms) {
    EXPECT_TRUE(store.add(window(0, begin, begin + 10ms, 1)));
  }
  const auto some = store.between(kStart + 505ms, kStart + 525ms);
  ASSERT_EQ(some.size(), 4U);  // the long one, and 500–510, 510–520, 520–530
  EXPECT_EQ(some[0].domain, 1);
  EXPECT_EQ(some[1].begin, kStart + 500ms);
  EXPECT_EQ(store.between(kStart + 510ms, kStart + 520ms).size(), 2U);  // touching is not enough
  EXPECT_TRUE(store.between(kStart + 2s, kStart + 3s).empty());
  EXPECT_TRUE(store.between(kStart - 2s, kStart - 1s).empty());
}

TEST(WindowStore, ForgetsOnlyWhatHasEnded) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 1)));
  EXPECT_TRUE(store.add(window(0, 10ms, 30ms, 1)));
  store.forget_before(kStart + 20ms);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_DOUBLE_EQ(store.now(kStart + 30ms).energy_since_start.value(), 2);
}

TEST(WindowStore, RefusesWhatIsNoWindow) {
  WindowStore store(domains({"cpu"}));
  EXPECT_FALSE(store.add(window(1, 0ms, 10ms, 1)));
  EXPECT_FALSE(store.add(window(0, 10ms, 10ms, 1)));
  EXPECT_FALSE(store.add(window(0, 10ms, 5ms, 1)));
  EXPECT_FALSE(store.add(window(0, 0ms, 10ms, -1)));
  EXPECT_FALSE(store.add(window(0, 0ms, 10ms, std::numeric_limits<double>::quiet_NaN())));
  EXPECT_FALSE(store.add(window(0, 0ms, 10ms, std::numeric_limits<double>::infinity())));
  EXPECT_EQ(store.size(), 0U);
}

TEST(WindowStore, PowerIsThatOfTheRootsAlone) {
  WindowStore store(domains({"package-0", "core-0", "dram-0"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 0.5)));  // 50 W
  EXPECT_TRUE(store.add(window(1, 0ms, 10ms, 0.4)));  // within the package
  EXPECT_FALSE(store.now(kStart + 10ms).total) << "a root has said nothing yet";
  EXPECT_TRUE(store.add(window(2, 0ms, 10ms, 0.1)));  // 10 W
  const PowerNow now = store.now(kStart + 10ms);
  ASSERT_TRUE(now.total);
  EXPECT_DOUBLE_EQ(now.total->value(), 60);
  EXPECT_DOUBLE_EQ(now.energy_since_start.value(), 0.6);
}

TEST(WindowStore, PowerIsTheMeanOfTheLastTenthOfASecond) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 1000ms, 5)));
  for (auto begin = 1000ms; begin < 1100ms; begin += 10ms) {
    EXPECT_TRUE(store.add(window(0, begin, begin + 10ms, begin < 1050ms ? 1.0 : 0.0)));
  }
  EXPECT_DOUBLE_EQ(store.now(kStart + 1100ms).total->value(), 50);
  EXPECT_TRUE(store.add(window(0, 1100ms, 1600ms, 10)));  // longer than that: it alone
  EXPECT_DOUBLE_EQ(store.now(kStart + 1600ms).total->value(), 20);
}

TEST(WindowStore, OldPowerIsNotPowerNow) {
  WindowStore store(domains({"cpu"}));
  EXPECT_FALSE(store.now(kStart).total);
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 1)));
  EXPECT_TRUE(store.now(kStart + 1s).total);
  EXPECT_FALSE(store.now(kStart + 2s).total);
}

TEST(WindowStore, WithoutDomainsThereIsNoPower) {
  const WindowStore store(domains({}));
  EXPECT_FALSE(store.now(kStart).total);
}

TEST(WindowStore, ClearsAll) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 1)));
  store.clear();
  EXPECT_EQ(store.size(), 0U);
  EXPECT_FALSE(store.now(kStart + 10ms).total);
  EXPECT_DOUBLE_EQ(store.now(kStart + 10ms).energy_since_start.value(), 0);
}

}  // namespace
}  // namespace enprof
