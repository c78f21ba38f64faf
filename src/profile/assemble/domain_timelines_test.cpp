#include "profile/assemble/domain_timelines.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Instant at(double ms) { return Instant{1s + from_ms(ms)}; }

/// A core of 30 W in a package of 50 W, beside memory of 60 W; the package has a gap at 40–50 ms.
PowerEvidence evidence() {
  PowerEvidence power;
  power.domains = {domain_from_name("core-0"), domain_from_name("package-0"),
                   domain_from_name("dram-0")};
  for (Domain& domain : power.domains) {
    domain.source = "rapl";
  }
  link_parents(power.domains);
  for (const double watts : {30.0, 50.0, 60.0}) {
    const auto domain = static_cast<std::uint16_t>(power.windows.size());
    auto& windows = power.windows.emplace_back();
    for (double t = 0; t < 100; t += 10) {
      if (domain != 1 || t != 40) {
        windows.push_back({.domain = domain,
                           .begin = at(t),
                           .end = at(t + 10),
                           .energy = Watts{watts} * Nanoseconds{10ms}});
      }
    }
  }
  power.baseline = IdleBaseline{
      .domains = {std::nullopt,
                  IdleBaseline::DomainIdle{.power = Watts{10}, .spread = Watts{2}, .windows = 4},
                  std::nullopt},
      .total = std::nullopt};
  return power;
}

TEST(DomainTimelines, RootsStandTogetherInTheOrderOfDomains) {
  const PowerEvidence power = evidence();
  const DomainTimelines timelines(power);
  ASSERT_EQ(timelines.roots().size(), 2U);
  EXPECT_EQ(timelines.root_domains()[0].domain->name, "package-0");
  EXPECT_EQ(timelines.root_domains()[1].domain->name, "dram-0");
  EXPECT_NEAR(timelines.roots()[0].share(at(0), at(100)).energy.value(), 50 * 0.09, 1e-9);
  EXPECT_NEAR(timelines.roots()[1].share(at(0), at(100)).energy.value(), 60 * 0.1, 1e-9);
  EXPECT_NEAR(timelines.of(0).share(at(0), at(100)).energy.value(), 30 * 0.1, 1e-9);
  EXPECT_EQ(timelines.idle_powers()[0], Watts{10});
  EXPECT_EQ(timelines.idle_powers()[1], std::nullopt);
  EXPECT_EQ(timelines.alone(1).idle_error, Watts{1});
}

TEST(DomainTimelines, TheLargestRootIsThatOfTheInterval) {
  const PowerEvidence power = evidence();
  EXPECT_EQ(DomainTimelines(power).largest_root(at(0), at(100)), 1U);
  EXPECT_EQ(DomainTimelines(power).largest_root(at(200), at(300)), 0U) << "none has any energy";
  const PowerEvidence nothing;
  EXPECT_EQ(DomainTimelines(nothing).largest_root(at(0), at(100)), 0U);
}

TEST(DomainTimelines, ADomainWithoutAListHasNoWindows) {
  PowerEvidence power = evidence();
  power.windows.clear();
  const DomainTimelines timelines(power);
  EXPECT_TRUE(timelines.windows_of(0).empty());
  EXPECT_EQ(timelines.roots()[0].segment_count(), 0U);
}

TEST(DomainTimelines, InvalidWindowsAreCounted) {
  PowerEvidence power = evidence();
  power.windows[2].push_back({.domain = 2, .begin = at(100), .end = at(100), .energy = Joules{1}});
  EXPECT_EQ(DomainTimelines(power).rejected_windows(), 1U);
}

TEST(MeanPower, IsEmptyWhereThereIsAGap) {
  const PowerEvidence power = evidence();
  const DomainTimelines timelines(power);
  EXPECT_NEAR(mean_power(timelines.of(1), at(5), at(25))->value(), 50, 1e-9);
  EXPECT_EQ(mean_power(timelines.of(1), at(30), at(50)), std::nullopt);
}

}  // namespace
}  // namespace enprof
