#include "base/cpu_times.hpp"

#include "support/fake_procfs.hpp"

#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace enprof {
namespace {

using testing::FakeProcfs;

CpuSnapshot snapshot(Nanoseconds busy, Nanoseconds own) {
  return {.machine = {.busy = busy, .total = busy * 2}, .own = own};
}

TEST(CpuTimes, ReadsThisMachine) {
  const CpuTimes times;
  const auto first = times.read();
  ASSERT_TRUE(first);
  EXPECT_GT(first->machine.busy, Nanoseconds{0});
  EXPECT_GT(first->machine.total, first->machine.busy);
  EXPECT_GE(times.cpu_count(), 1U);

  // Works until this process has used one more tick, on a machine of any speed.
  std::optional<CpuSnapshot> last;
  do {
    last = times.read();
    ASSERT_TRUE(last);
  } while (last->own - first->own < CpuTimes::tick());
  EXPECT_GE(last->machine.total, first->machine.total);
}

#if !defined(__APPLE__)

TEST(CpuTimes, CountsTicks) {
  FakeProcfs procfs(2);
  procfs.write("stat", "cpu  10 20 30 400 50 6 7 8 5 5\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 1\n");
  const CpuTimes times(procfs.root());
  const auto machine = times.machine();
  ASSERT_TRUE(machine) << machine.error().message;
  // user + nice + system + irq + softirq; then idle, iowait and steal as well. Guest time is part
  // of user time and must not count twice.
  EXPECT_EQ(machine->busy, 73 * CpuTimes::tick());
  EXPECT_EQ(machine->total, 531 * CpuTimes::tick());
  EXPECT_EQ(times.cpu_count(), 2U);
}

TEST(CpuTimes, ReadsAnewEachTime) {
  FakeProcfs procfs;
  const CpuTimes times(procfs.root());
  const auto before = times.read();
  procfs.spend(50, 150);
  procfs.spend_own(20);
  const auto after = times.read();
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->machine.busy - before->machine.busy, 50 * CpuTimes::tick());
  EXPECT_EQ(after->machine.total - before->machine.total, 200 * CpuTimes::tick());
  EXPECT_EQ(after->own - before->own, 20 * CpuTimes::tick());
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(*before, *after), 0.6);
}

TEST(CpuTimes, ProgramsThatWorkForUsAreOurOwn) {
  FakeProcfs procfs;
  Nanoseconds programs{0};
  const CpuTimes times(procfs.root(), [&programs] { return programs; });
  const auto before = times.read();
  procfs.spend(50, 150);
  programs = 40 * CpuTimes::tick();
  const auto after = times.read();
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->own - before->own, 40 * CpuTimes::tick());
  EXPECT_NEAR(foreign_cpu_share(*before, *after).value_or(-1.0), 0.2, 1e-9);
}

TEST(CpuTimes, AProcessMayHaveAnyName) {
  const FakeProcfs procfs;
  procfs.write("self/stat", "1 (a) R 9 (b c)) S 1 1 1 0 -1 0 0 0 0 0 11 22 0 0 20 0 1 0 5 6 7\n");
  const auto own = CpuTimes(procfs.root()).own();
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(*own, 33 * CpuTimes::tick());
}

TEST(CpuTimes, AnOldKernelHasFewerColumns) {
  const FakeProcfs procfs;
  procfs.write("stat", "cpu 1 2 3 4\n");
  const auto machine = CpuTimes(procfs.root()).machine();
  ASSERT_TRUE(machine);
  EXPECT_EQ(machine->busy, 6 * CpuTimes::tick());
  EXPECT_EQ(machine->total, 10 * CpuTimes::tick());
}

TEST(CpuTimes, WhatDoesNotParseIsAnErrorWithItsPath) {
  const FakeProcfs procfs;
  for (const char* bad : {"", "intr 5\n", "cpu 1 2 3\n", "cpu a b c d\n", "cpu -1 2 3 4\n",
                          "cpu 1 2 3 18446744073709551615\n", "cpu 9223372036854775807 2 3 4\n",
                          "cpu 900000000000 900000000000 900000000000 900000000000\n"}) {
    procfs.write("stat", bad);
    const auto machine = CpuTimes(procfs.root()).machine();
    ASSERT_FALSE(machine) << bad;
    EXPECT_EQ(machine.error().code, ErrorCode::malformed);
    EXPECT_NE(machine.error().message.find(procfs.stat_path().string()), std::string::npos);
  }
  for (const char* bad : {"", "12 no parenthesis", "1 (x) S 1 1 1\n",
                          "1 (x) S 1 1 1 0 -1 0 0 0 0 0 9223372036854775807 22 0 0 20\n"}) {
    procfs.write("self/stat", bad);
    EXPECT_FALSE(CpuTimes(procfs.root()).own()) << bad;
  }
}

TEST(CpuTimes, WithoutProcfsThereIsNothing) {
  const testing::TempDir empty;
  const CpuTimes times(empty.path());
  EXPECT_FALSE(times.read());
  const auto machine = times.machine();
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, ErrorCode::not_found);
  EXPECT_EQ(times.cpu_count(), 1U);
}

#endif

TEST(ForeignCpuShare, IsTheBusyTimeOfOthers) {
  const Nanoseconds second = std::chrono::seconds{1};
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(snapshot(second, second), snapshot(5 * second, 2 * second)),
                   0.75);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(snapshot({}, {}), snapshot(second, {})), 1.0);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(snapshot({}, {}), snapshot(second, second)), 0.0);
}

TEST(ForeignCpuShare, StaysWithinBoundsWhereTheCountsDisagree) {
  const Nanoseconds second = std::chrono::seconds{1};
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(snapshot({}, {}), snapshot(second, 2 * second)), 0.0);
}

TEST(ForeignCpuShare, IsUnknownWhereTheTimeIsTooShort) {
  const Nanoseconds tick = CpuTimes::tick();
  EXPECT_FALSE(foreign_cpu_share(snapshot({}, {}), snapshot({}, {})));
  EXPECT_FALSE(foreign_cpu_share(snapshot({}, {}), snapshot(tick, {})));
  EXPECT_TRUE(foreign_cpu_share(snapshot({}, {}), snapshot(2 * tick, {})));
}

// A run on a GPU, or on a machine that did nothing else: what others used is too little to see.
TEST(ForeignCpuShare, IsZeroWhereTheMachineWasIdleForLong) {
  const Nanoseconds tick = CpuTimes::tick();
  CpuSnapshot idle = snapshot(tick, {});
  idle.machine.total = 49 * tick;
  EXPECT_FALSE(foreign_cpu_share(snapshot({}, {}), idle));
  idle.machine.total = 50 * tick;
  EXPECT_EQ(foreign_cpu_share(snapshot({}, {}), idle), 0.0);
}

TEST(ForeignCpuShare, OfAnIntervalComesFromTheSamplesAroundIt) {
  const auto at = [](int ms) { return Instant{std::chrono::milliseconds{ms}}; };
  const auto ms = [](int value) { return Nanoseconds{std::chrono::milliseconds{value}}; };
  // Alone for the first second; in the next one another process uses three of four CPUs.
  const std::vector<CpuSample> samples{{at(0), snapshot(ms(5000), ms(100))},
                                       {at(500), snapshot(ms(5500), ms(600))},
                                       {at(1000), snapshot(ms(6000), ms(1100))},
                                       {at(1500), snapshot(ms(8000), ms(1600))},
                                       {at(2000), snapshot(ms(10000), ms(2100))}};
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, at(0), at(1000)), 0.0);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, at(1000), at(2000)), 0.75);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, at(0), at(2000)), 0.6);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, at(750), at(1250)), 0.6);
  EXPECT_FALSE(foreign_cpu_share(samples, at(1000), at(1400)));  // shorter than an interval
  EXPECT_FALSE(foreign_cpu_share(samples, at(-100), at(1000)));  // begins before the first sample
  EXPECT_FALSE(foreign_cpu_share(samples, at(1000), at(2100)));
  EXPECT_FALSE(foreign_cpu_share(std::span(samples).first(1), at(0), at(0)));
}

}  // namespace
}  // namespace enprof
