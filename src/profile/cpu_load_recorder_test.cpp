#include "profile/cpu_load_recorder.hpp"

#include "support/fake_procfs.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace enprof {
namespace {

using testing::FakeProcfs;
using namespace std::chrono_literals;

TEST(CpuLoadRecorder, SamplesThisMachineWhileItWorks) {
  const CpuTimes times;
  CpuLoadRecorder recorder(times, monotonic_clock(), 1ms);
  recorder.start();
  const Instant begin = monotonic_clock().now();
  std::this_thread::sleep_for(50ms);
  const Instant end = monotonic_clock().now();
  const auto samples = recorder.stop();
  ASSERT_GE(samples.size(), 3U);
  EXPECT_LE(samples.front().at, begin);
  EXPECT_GE(samples.back().at, end);
  for (std::size_t index = 1; index < samples.size(); ++index) {
    EXPECT_LT(samples[index - 1].at, samples[index].at);
    EXPECT_LE(samples[index - 1].times.machine.busy, samples[index].times.machine.busy);
  }
}

TEST(CpuLoadRecorder, BeginAndEndAreSampledHoweverShortTheRun) {
  FakeProcfs procfs;
  const CpuTimes times(procfs.root());
  CpuLoadRecorder recorder(times, monotonic_clock(), 1h);
  recorder.start();
  procfs.spend(100, 100);
  procfs.spend_own(25);
  const auto samples = recorder.stop();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, samples[0].at, samples[1].at), 0.75);
}

TEST(CpuLoadRecorder, KeepsFewerSamplesOfALongRun) {
  const CpuTimes times;
  CpuLoadRecorder recorder(times, monotonic_clock(), 100us, 8);
  recorder.start();
  const Instant begin = monotonic_clock().now();
  while (monotonic_clock().now() < begin + 50ms) {
    std::this_thread::sleep_for(1ms);
  }
  const auto samples = recorder.stop();
  EXPECT_GE(samples.size(), 2U);
  EXPECT_LE(samples.size(), 8U);
  EXPECT_LE(samples.front().at, begin);
}

TEST(CpuLoadRecorder, WithoutProcfsThereAreNoSamples) {
  const testing::TempDir empty;
  const CpuTimes times(empty.path());
  CpuLoadRecorder recorder(times, monotonic_clock(), 1ms);
  recorder.start();
  EXPECT_TRUE(recorder.stop().empty());
}

TEST(CpuLoadRecorder, WhatWasNotStartedHasNothing) {
  const CpuTimes times;
  CpuLoadRecorder recorder(times, monotonic_clock());
  EXPECT_TRUE(recorder.stop().empty());
  recorder.start();
  recorder.start();  // again: no harm
  EXPECT_EQ(recorder.stop().size(), 2U);
  EXPECT_TRUE(recorder.stop().empty());
}

}  // namespace
}  // namespace enprof
