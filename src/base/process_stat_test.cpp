#include "base/process_stat.hpp"

#include "base/cpu_times.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(ProcessStat, ReadsTheKernelsFormat) {
  const auto stat = parse_process_stat(
      "4711 (a (b) c) S 17 4711 4711 34816 4711 4194304 100 0 3 0 250 50 7 3 20 0 1 0 99 1 2\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 17);
  EXPECT_EQ(stat->cpu, 300 * CpuTimes::tick());
  EXPECT_EQ(stat->reaped_cpu, 10 * CpuTimes::tick());
}

TEST(ProcessStat, WhatIsNotOneIsEmpty) {
  for (const char* text : {"", "4711", "4711 (sh)", "4711 (sh) S 17 1 1 1 1 1 1 1 1 1 12",
                           "4711 (sh) S 17 1 1 1 1 1 1 1 1 1 18446744073709551615 0 0 0",
                           "4711 (sh) S x 1 1 1 1 1 1 1 1 1 12 13 0 0",
                           "4711 (sh) sleeping 17 1 1 1 1 1 1 1 1 1 1 1"}) {
    EXPECT_FALSE(parse_process_stat(text)) << text;
  }
}

TEST(ProcessStat, TimesOfChildrenMayBeMissing) {
  const auto stat = parse_process_stat("1 (x) R 0 1 1 1 1 1 1 1 1 1 5 6");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->cpu, 11 * CpuTimes::tick());
  EXPECT_EQ(stat->reaped_cpu, Nanoseconds{0});
}

}  // namespace
}  // namespace enprof
