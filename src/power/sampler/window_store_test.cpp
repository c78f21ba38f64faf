#include "power/sampler/window_store.hpp"

#include "support/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

std::vector<EnergyWindow> between(const WindowStore& store, Instant begin, Instant end) {
  return testing::joined(store.between(begin, end));
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
  const auto all = between(store, kStart, kStart + 1s);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_DOUBLE_EQ(all[0].energy.value(), 2);
  EXPECT_DOUBLE_EQ(all[1].energy.value(), 1);
  EXPECT_DOUBLE_EQ(all[2].energy.value(), 4);
  EXPECT_DOUBLE_EQ(all[3].energy.value(), 3);
}

TEST(WindowStore, FindsOverlappingWindowsOfAnyLength) {
  WindowStore store(domains({"cpu", "wall"}));
  EXPECT_TRUE(store.add(window(1, 0ms, 1000ms, 7)));
  for (auto begin = 0ms; begin < 1000ms; begin += 10ms) {
    EXPECT_TRUE(store.add(window(0, begin, begin + 10ms, 1)));
  }
  const auto some = between(store, kStart + 505ms, kStart + 525ms);
  ASSERT_EQ(some.size(), 4U);  // the long one, and 500–510, 510–520, 520–530
  EXPECT_EQ(some[0].domain, 1);
  EXPECT_EQ(some[1].begin, kStart + 500ms);
  EXPECT_EQ(between(store, kStart + 510ms, kStart + 520ms).size(), 2U);  // touching is not enough
  EXPECT_TRUE(between(store, kStart + 2s, kStart + 3s).empty());
  EXPECT_TRUE(between(store, kStart - 2s, kStart - 1s).empty());
}

TEST(WindowStore, ForgetsOnlyWhatHasEnded) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 1)));
  EXPECT_TRUE(store.add(window(0, 10ms, 30ms, 1)));
  store.forget_before(kStart + 20ms);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_DOUBLE_EQ(store.now(kStart + 30ms).energy_since_start.value(), 2);
}

TEST(WindowStore, RefusesInvalidWindows) {
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
  store.clear(kStart);
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 0.5)));  // 50 W
  EXPECT_TRUE(store.add(window(1, 0ms, 10ms, 0.4)));  // within the package
  EXPECT_FALSE(store.now(kStart + 10ms).total) << "a root has said nothing yet";
  EXPECT_TRUE(store.add(window(2, 0ms, 10ms, 0.1)));  // 10 W
  const PowerNow now = store.now(kStart + 10ms);
  ASSERT_TRUE(now.total);
  EXPECT_DOUBLE_EQ(now.total->value(), 60);
  EXPECT_DOUBLE_EQ(now.energy_since_start.value(), 0.6);
  ASSERT_EQ(now.by_domain.size(), 3U);
  EXPECT_DOUBLE_EQ(now.by_domain[1]->value(), 40);
  EXPECT_FALSE(store.now(kStart + 1h).by_domain[1]) << "what is long ago is not now";
}

TEST(WindowStore, PowerIsTheMeanOfTheLastTenthOfASecond) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 1000ms, 5)));
  for (auto begin = 1000ms; begin < 1100ms; begin += 10ms) {
    EXPECT_TRUE(store.add(window(0, begin, begin + 10ms, begin < 1050ms ? 1.0 : 0.0)));
  }
  EXPECT_DOUBLE_EQ(store.now(kStart + 1100ms).total->value(), 50);
  EXPECT_TRUE(store.add(window(0, 1100ms, 1600ms, 10)));  // longer than that: only this one counts
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

TEST(WindowStore, KeepsThePeakWithItsInstantAndRails) {
  WindowStore store(domains({"package-0", "core-0", "dram-0"}));
  store.clear(kStart);
  const auto add = [&](Nanoseconds begin, double package) {
    EXPECT_TRUE(store.add(window(0, begin, begin + 10ms, package / 100)));
    EXPECT_TRUE(store.add(window(1, begin, begin + 10ms, package / 200)));
    EXPECT_TRUE(store.add(window(2, begin, begin + 10ms, 0.05)));
  };
  add(0ms, 500);
  EXPECT_FALSE(store.peak()) << "10 ms are too short for a stepping counter";
  for (auto begin = 10ms; begin < 1000ms; begin += 10ms) {
    add(begin, begin >= 500ms && begin < 600ms ? 80 : 20);
  }
  ASSERT_TRUE(store.peak());
  EXPECT_NEAR(store.peak()->power.value(), 85, 1e-9);
  EXPECT_EQ(store.peak()->at, 550ms);
  EXPECT_EQ(store.peak()->window, 100ms);
  ASSERT_EQ(store.peak()->by_domain.size(), 3U);
  EXPECT_NEAR(store.peak()->by_domain[0]->value(), 80, 1e-9);
  EXPECT_NEAR(store.peak()->by_domain[1]->value(), 40, 1e-9);
  EXPECT_NEAR(store.peak()->by_domain[2]->value(), 5, 1e-9);
}

// ---- bounded memory ----------------------------------------------------------------------------

/// Energy and covered time of some windows.
struct Sum {
  double joules = 0;
  Nanoseconds covered{0};
};
Sum sum(const std::vector<EnergyWindow>& windows) {
  Sum result;
  for (const auto& each : windows) {
    result.joules += each.energy.value();
    result.covered += each.duration();
  }
  return result;
}

TEST(WindowStore, ALongRunIsJoinedAndLosesNothing) {
  WindowStore store(domains({"package-0", "dram-0"}), 2'048);
  double joules = 0;
  for (int index = 0; index < 100'000; ++index) {
    const double energy = 0.1 + 0.001 * (index % 97);
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, energy)));
    if (index % 10 == 0) {  // a slower sensor
      EXPECT_TRUE(store.add(window(1, index * 10ms, (index + 10) * 10ms, energy)));
      joules += energy;
    }
    joules += energy;
    ASSERT_LE(store.size(), 2'048U);
  }
  const auto all = between(store, kStart, kStart + 2000s);
  EXPECT_NEAR(sum(all).joules, joules, 1e-9 * joules);
  EXPECT_EQ(sum(all).covered, 2000s);
  EXPECT_NEAR(store.now(kStart + 1000s).energy_since_start.value(), joules, 1e-9 * joules);

  std::vector<Instant> ends(2, kStart);
  Nanoseconds longest{0};
  for (const auto& each : all) {
    EXPECT_EQ(each.begin, ends[each.domain]) << "no gap, no overlap, by begin";
    ends[each.domain] = each.end;
    longest = std::max(longest, each.duration());
  }
  // 1000 s in at least 512 windows: 2 s on average, and no window is much longer.
  EXPECT_LE(longest, 8s);
  // A search in an interval also finds windows that are longer than it.
  const auto part = between(store, kStart + 500s, kStart + 501s);
  ASSERT_FALSE(part.empty());
  EXPECT_LE(part.front().begin, kStart + 500s);
  EXPECT_GE(std::ranges::max(part, {}, &EnergyWindow::end).end, kStart + 501s);
}

TEST(WindowStore, TheOldestAreJoinedFirst) {
  WindowStore store(domains({"cpu"}), 1024);
  for (int index = 0; index < 1025; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, 1)));
  }
  const auto all = between(store, kStart, kStart + 1h);
  EXPECT_EQ(all.size(), 1024U - 128 + 1);
  EXPECT_EQ(all.front().duration(), 30ms);
  EXPECT_DOUBLE_EQ(all.front().energy.value(), 3);
  EXPECT_EQ(all.back().duration(), 10ms);
  EXPECT_EQ(all[all.size() / 2].duration(), 10ms);
}

TEST(WindowStore, NoGapIsClosed) {
  WindowStore store(domains({"cpu"}), 256);
  Nanoseconds covered{0};
  for (int index = 0; index < 5'000; ++index) {
    if (index % 100 == 99) {
      continue;  // a reading that failed
    }
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, 1)));
    covered += 10ms;
  }
  const auto all = between(store, kStart, kStart + 1h);
  EXPECT_EQ(sum(all).covered, covered);
  EXPECT_DOUBLE_EQ(sum(all).joules, 50 * 99);
  for (const auto& each : all) {
    for (int gap = 99; gap < 5'000; gap += 100) {
      EXPECT_TRUE(each.end <= kStart + gap * 10ms || each.begin >= kStart + (gap + 1) * 10ms);
    }
  }
}

TEST(WindowStore, IfAllWindowsHaveGapsTheGapsMoveAndKeepTheirLength) {
  WindowStore store(domains({"cpu"}), 256);
  for (int index = 0; index < 20'000; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, index * 10ms + 9ms, 1)));
    ASSERT_LE(store.size(), 256U);
  }
  const auto all = between(store, kStart, kStart + 1h);
  EXPECT_EQ(sum(all).covered, 20'000 * 9ms);
  EXPECT_DOUBLE_EQ(sum(all).joules, 20'000);
  for (std::size_t index = 1; index < all.size(); ++index) {
    EXPECT_GT(all[index].begin, all[index - 1].end);
  }
}

TEST(WindowStore, WindowsOnBothSidesOfAnEdgeStayApart) {
  WindowStore store(domains({"cpu"}), 256);
  for (int index = 0; index < 10'000; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, index < 5'000 ? 1 : 3)));
    if (index == 4'999) {
      store.keep_edge(kStart + 50s + 1us);  // just after the reading, as sync() calls it
    }
  }
  double before = 0;
  double after = 0;
  for (const auto& each : between(store, kStart, kStart + 1h)) {
    ASSERT_TRUE(each.end <= kStart + 50s || each.begin >= kStart + 50s);
    (each.end <= kStart + 50s ? before : after) += each.energy.value();
  }
  EXPECT_DOUBLE_EQ(before, 5'000);
  EXPECT_DOUBLE_EQ(after, 15'000);
}

TEST(WindowStore, AnyNumberOfEdgesFits) {
  WindowStore store(domains({"cpu"}), 256);
  for (int index = 0; index < 10'000; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, 1)));
    store.keep_edge(kStart + (index + 1) * 10ms);
    ASSERT_LE(store.size(), 256U);
  }
  EXPECT_DOUBLE_EQ(sum(between(store, kStart, kStart + 1h)).joules, 10'000);
}

TEST(WindowStore, AfterForgetBeforeOnlyShortWindowsAreJoined) {
  WindowStore store(domains({"cpu"}), 256);
  for (int index = 0; index < 10'000; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, 1)));
  }
  store.forget_before(kStart + 100s);
  EXPECT_LE(store.size(), 1U);
  for (int index = 10'000; index < 10'300; ++index) {
    EXPECT_TRUE(store.add(window(0, index * 10ms, (index + 1) * 10ms, 1)));
  }
  const auto all = between(store, kStart + 100s, kStart + 1h);
  EXPECT_LE(std::ranges::max(all, {}, &EnergyWindow::duration).duration(), 60ms);
}

TEST(WindowStore, ClearsAll) {
  WindowStore store(domains({"cpu"}));
  EXPECT_TRUE(store.add(window(0, 0ms, 10ms, 1)));
  store.clear();
  EXPECT_EQ(store.size(), 0U);
  EXPECT_FALSE(store.now(kStart + 10ms).total);
  EXPECT_DOUBLE_EQ(store.now(kStart + 10ms).energy_since_start.value(), 0);
  EXPECT_FALSE(store.peak());
}

/// 10 s of windows of 10 ms; a power below zero: none.
void fill(WindowStore& store, std::initializer_list<double> watts, Nanoseconds from,
          Nanoseconds until) {
  for (Nanoseconds at = from; at < until; at += 10ms) {
    std::uint16_t domain = 0;
    for (const double power : watts) {
      if (power >= 0) {
        EXPECT_TRUE(store.add(window(domain, at, at + 10ms, power * 0.01)));
      }
      ++domain;
    }
  }
}

TEST(WindowStore, APlatformThatNeverCountsDoesNotHideItsParts) {
  WindowStore store(domains({"psys", "package-0", "core-0", "dram-0"}));
  store.clear(kStart);
  fill(store, {-1, 40, 30, 4}, 0s, 900ms);
  EXPECT_EQ(store.now(kStart + 900ms).total, std::nullopt) << "it may yet count";
  fill(store, {-1, 40, 30, 4}, 900ms, 5s);
  const PowerNow now = store.now(kStart + 5s);
  ASSERT_TRUE(now.total);
  EXPECT_NEAR(now.total->value(), 44, 1e-9);
  EXPECT_NEAR(now.energy_since_start.value(), 44 * 5, 1e-6) << "from the start on";
  EXPECT_EQ(now.by_domain[0], std::nullopt);
  ASSERT_TRUE(store.peak());
  EXPECT_NEAR(store.peak()->power.value(), 44, 1e-9);
  const auto news = store.take_news();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].code, "domain_left_out");
  EXPECT_TRUE(store.take_news().empty()) << "told once";

  // It begins to count: it is the whole again, and nothing counts twice.
  fill(store, {70, 40, 30, 4}, 5s, 10s);
  EXPECT_NEAR(store.now(kStart + 10s).total->value(), 70, 1e-9);
  EXPECT_NEAR(store.now(kStart + 10s).energy_since_start.value(), 44 * 5 + 70 * 5, 1e-6);
  EXPECT_EQ(store.trusted_domains(kStart + 6s, kStart + 10s).domains,
            domains({"psys", "package-0", "core-0", "dram-0"}));
  store.clear(kStart + 10s);
  EXPECT_DOUBLE_EQ(store.now(kStart + 10s).energy_since_start.value(), 0);
}

TEST(WindowStore, APlatformThatStopsCountingIsReplacedByItsParts) {
  WindowStore store(domains({"psys", "package-0"}));
  store.clear(kStart);
  fill(store, {70, 40}, 0s, 5s);
  fill(store, {-1, 40}, 5s, 10s);
  EXPECT_NEAR(store.now(kStart + 10s).total->value(), 40, 1e-9);
  EXPECT_NEAR(store.now(kStart + 10s).energy_since_start.value(), 70 * 5 + 40 * 5, 1e-6);
}

TEST(WindowStore, AWholeBelowItsPartsIsNotWhatIsShown) {
  WindowStore store(domains({"psys", "package-0"}));
  store.clear(kStart);
  fill(store, {6, 60}, 0s, 5s);
  EXPECT_NEAR(store.now(kStart + 5s).total->value(), 60, 1e-9);
  const auto news = store.take_news();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].code, "whole_below_parts");
}

TEST(WindowStore, WhatWasForgottenIsNotTakenForSilence) {
  std::vector<Domain> all = domains({"psys", "package-0"});
  all[0].period = 1s;
  WindowStore store(all);
  store.clear(kStart);
  EXPECT_TRUE(store.add(window(0, 0s, 1s, 60)));
  fill(store, {-1, 40}, 0s, 2500ms);
  store.forget_before(kStart + 2s);
  fill(store, {-1, 40}, 2500ms, 2600ms);
  EXPECT_TRUE(store.trusted_domains(kStart + 2s, kStart + 2600ms).warnings.empty());
}

}  // namespace
}  // namespace enprof
