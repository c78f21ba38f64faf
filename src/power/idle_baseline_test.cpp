#include "power/idle_baseline.hpp"

#include "support/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{1h};
constexpr Instant kEnd = kBegin + 100ms;

std::vector<Domain> domains(std::initializer_list<const char*> names) {
  std::vector<Domain> result;
  for (const char* name : names) {
    result.push_back(domain_from_name(name));
  }
  link_parents(result);
  return result;
}

EnergyWindow window(std::uint16_t domain, Nanoseconds begin, Nanoseconds end, double watts) {
  return {.domain = domain,
          .begin = kBegin + begin,
          .end = kBegin + end,
          .energy = Watts{watts} * (end - begin)};
}

IdleBaseline baseline(const std::vector<Domain>& list, std::vector<EnergyWindow> windows) {
  std::ranges::stable_sort(windows, {}, &EnergyWindow::begin);
  return compute_idle_baseline(list, testing::by_domain(windows, list.size()), kBegin, kEnd);
}

TEST(IdleBaseline, WeighsPowerByTime) {
  const auto result =
      baseline(domains({"cpu"}), {window(0, 0ms, 25ms, 8), window(0, 25ms, 100ms, 12)});
  ASSERT_TRUE(result.domains[0] && result.total);
  EXPECT_DOUBLE_EQ(result.domains[0]->power.value(), 11);
  // Σ w (p − 11)² / Σ w = 0.25 × 9 + 0.75 × 1 = 3, times n / (n − 1) = 2
  ASSERT_TRUE(result.domains[0]->spread);
  EXPECT_DOUBLE_EQ(result.domains[0]->spread->value(), std::sqrt(6.0));
  EXPECT_DOUBLE_EQ(result.total->power.value(), 11);
  EXPECT_DOUBLE_EQ(result.total->spread->value(), std::sqrt(6.0));
  EXPECT_EQ(result.total->duration, 100ms);
  EXPECT_EQ(result.total->windows, 2U);
}

TEST(IdleBaseline, OfOneWindowTheSpreadIsUnknown) {
  const auto result = baseline(domains({"cpu"}), {window(0, 0ms, 100ms, 8)});
  ASSERT_TRUE(result.total);
  EXPECT_FALSE(result.domains[0]->spread);
  EXPECT_FALSE(result.total->spread);
}

TEST(IdleBaseline, OnlyThePartOfAWindowWithinTheTimeCounts) {
  const auto result =
      baseline(domains({"cpu"}), {window(0, -50ms, 25ms, 8), window(0, 25ms, 400ms, 12)});
  EXPECT_DOUBLE_EQ(result.domains[0]->power.value(), 11);
}

TEST(IdleBaseline, WindowsOutsideDoNotCount) {
  const auto result =
      baseline(domains({"cpu"}),
               {window(0, -50ms, 0ms, 99), window(0, 0ms, 90ms, 8), window(0, 100ms, 200ms, 99)});
  EXPECT_DOUBLE_EQ(result.domains[0]->power.value(), 8);
  EXPECT_EQ(result.total->windows, 1U);
}

TEST(IdleBaseline, TheTotalAddsUpRootsAlone) {
  const auto result = baseline(domains({"package-0", "core-0", "dram-0"}),
                               {window(0, 0ms, 100ms, 20), window(1, 0ms, 100ms, 15),
                                window(2, 0ms, 50ms, 3), window(2, 50ms, 100ms, 5)});
  ASSERT_TRUE(result.total);
  EXPECT_DOUBLE_EQ(result.domains[1]->power.value(), 15);
  EXPECT_DOUBLE_EQ(result.total->power.value(), 24);
}

TEST(IdleBaseline, TheSpreadOfTheTotalTakesCorrelationIntoAccount) {
  std::vector<EnergyWindow> together;
  std::vector<EnergyWindow> against;
  for (int step = 0; step < 10; ++step) {
    const auto begin = step * 10ms;
    const double swing = step % 2 == 0 ? 1 : -1;
    together.push_back(window(0, begin, begin + 10ms, 10 + swing));
    together.push_back(window(1, begin, begin + 10ms, 10 + swing));
    against.push_back(window(0, begin, begin + 10ms, 10 + swing));
    against.push_back(window(1, begin, begin + 10ms, 10 - swing));
  }
  const auto list = domains({"package-0", "package-1"});
  const double single = baseline(list, together).domains[0]->spread->value();
  EXPECT_NEAR(baseline(list, together).total->spread->value(), 2 * single, 1e-9);
  EXPECT_NEAR(baseline(list, against).total->spread->value(), 0, 1e-9);
}

TEST(IdleBaseline, SensorsMayHavePeriodsOfTheirOwn) {
  std::vector<EnergyWindow> windows{window(1, 0ms, 50ms, 5), window(1, 50ms, 100ms, 7)};
  for (auto begin = 0ms; begin < 100ms; begin += 10ms) {
    windows.push_back(window(0, begin, begin + 10ms, begin < 50ms ? 10 : 20));
  }
  const auto result = baseline(domains({"package-0", "gpu-0"}), windows);
  ASSERT_TRUE(result.total);
  EXPECT_DOUBLE_EQ(result.total->power.value(), 21);
  // 15 W and 27 W over the slow one's two windows.
  EXPECT_NEAR(result.total->spread->value(), std::sqrt(2.0) * 6, 1e-9);
  EXPECT_EQ(result.total->windows, 12U);
}

TEST(IdleBaseline, IfARootHasNoWindowThereIsNoTotal) {
  const auto result = baseline(domains({"package-0", "dram-0"}), {window(0, 0ms, 100ms, 20)});
  EXPECT_TRUE(result.domains[0]);
  EXPECT_FALSE(result.domains[1]);
  EXPECT_FALSE(result.total);
  EXPECT_FALSE(baseline(domains({"cpu"}), {}).total);
  EXPECT_FALSE(baseline({}, {}).total);
}

}  // namespace
}  // namespace enprof
