#include "base/process_waits.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(ProcessWaits, AreReadOfAllThreads) {
  const testing::TempDir dir;
  dir.write("self/stat",
            "42 (a (b) c) S 1 42 42 0 -1 4194304 11 12 13 14 15 16 0 0 20 0 2 0 9 9\n");
  dir.write("self/status", "Name:\tx\nVmRSS:\t 100 kB\nVmSwap:\t 12 kB\n");
  dir.write("self/task/42/schedstat", "1000 200 3\n");
  dir.write("self/task/43/schedstat", "500 0 1\n");
  dir.write("self/task/44/schedstat", "torn\n");
  const ProcessWaits waits = read_process_waits(dir.path());
  EXPECT_EQ(waits.disk_reads, 13U);
  EXPECT_EQ(waits.swapped_bytes, 12U * 1024);
  ASSERT_EQ(waits.threads.size(), 2U);
  EXPECT_EQ(waits.threads.at(42), (ThreadTimes{.ran = 1000ns, .waited = 200ns}));
}

TEST(ProcessWaits, WhatIsNotToldIsUnknown) {
  const testing::TempDir dir;
  const ProcessWaits waits = read_process_waits(dir.path());
  EXPECT_EQ(waits, ProcessWaits{});
  EXPECT_EQ(cpu_wait_share(waits, waits), std::nullopt);
}

#if defined(__linux__)
TEST(ProcessWaits, AreReadOfThisProcess) {
  if (!std::filesystem::exists("/proc/self/schedstat")) {
    GTEST_SKIP() << "this kernel was built without CONFIG_SCHED_INFO";
  }
  const ProcessWaits begin = read_process_waits("/proc");
  EXPECT_TRUE(begin.disk_reads);
  ASSERT_FALSE(begin.threads.empty());
  std::optional<double> share;
  do {  // until this thread has run for 10 ms
    share = cpu_wait_share(begin, read_process_waits("/proc"));
  } while (!share);
  EXPECT_GE(*share, 0.0);
  EXPECT_LT(*share, 1.0);
}
#endif

TEST(CpuWaitShare, IsOfThreadsThatLivedAllTheTime) {
  const ProcessWaits begin{.threads = {{1, {.ran = 1s, .waited = 1s}}, {2, {.ran = 5s}}},
                           .disk_reads = {},
                           .swapped_bytes = {}};
  const ProcessWaits end{.threads = {{1, {.ran = 4s, .waited = 2s}}, {3, {.ran = 7s}}},
                         .disk_reads = {},
                         .swapped_bytes = {}};
  EXPECT_EQ(cpu_wait_share(begin, end), 0.25);
}

TEST(CpuWaitShare, AThreadWithTheIdOfAnotherOneDoesNotCount) {
  const ProcessWaits begin{
      .threads = {{1, {.ran = 9s, .waited = 1s}}}, .disk_reads = {}, .swapped_bytes = {}};
  const ProcessWaits end{
      .threads = {{1, {.ran = 1s, .waited = 1s}}}, .disk_reads = {}, .swapped_bytes = {}};
  EXPECT_EQ(cpu_wait_share(begin, end), std::nullopt);
}

}  // namespace
}  // namespace enprof
