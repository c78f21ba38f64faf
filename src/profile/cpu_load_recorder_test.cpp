#include "profile/cpu_load_recorder.hpp"

#include "support/fake_procfs.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using testing::FakeProcfs;
using testing::ManualClock;
using namespace std::chrono_literals;

TEST(CpuLoadRecorder, SamplesThisMachineWhileItWorks) {
  const CpuTimes times;
  ManualClock clock;
  const Instant begin = clock.now();
  CpuLoadRecorder recorder(times, clock, 10ms);
  recorder.start();
  clock.pass(45ms);
  const auto samples = recorder.stop();
  ASSERT_EQ(samples.size(), 6U);
  for (std::size_t index = 0; index < 5; ++index) {
    EXPECT_EQ(samples[index].at, begin + index * 10ms);
    EXPECT_LE(samples[index].times.machine.busy, samples[index + 1].times.machine.busy);
  }
  EXPECT_EQ(samples.back().at, begin + 45ms) << "the last one is of the end";
}

TEST(CpuLoadRecorder, BeginAndEndAreSampledHoweverShortTheRun) {
  FakeProcfs procfs;
  const CpuTimes times(procfs.root());
  ManualClock clock;
  CpuLoadRecorder recorder(times, clock, 1h);
  recorder.start();
  procfs.spend(100, 100);
  procfs.spend_own(25);
  clock.pass(1us);
  const auto samples = recorder.stop();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_DOUBLE_EQ(*foreign_cpu_share(samples, samples[0].at, samples[1].at), 0.75);
}

TEST(CpuLoadRecorder, KeepsFewerSamplesOfALongRun) {
  const CpuTimes times;
  ManualClock clock;
  const Instant begin = clock.now();
  CpuLoadRecorder recorder(times, clock, 10ms, 8);
  recorder.start();
  clock.pass(1s);
  const auto samples = recorder.stop();
  ASSERT_GE(samples.size(), 4U);
  EXPECT_LE(samples.size(), 8U);
  EXPECT_EQ(samples.front().at, begin);
  EXPECT_EQ(samples.back().at, begin + 1s);
  for (std::size_t index = 2; index + 1 < samples.size(); ++index) {
    EXPECT_EQ(samples[index].at - samples[index - 1].at, samples[1].at - samples[0].at)
        << "at equal distances up to the last one";
  }
}

TEST(CpuLoadRecorder, WithoutProcfsThereAreNoSamples) {
  const testing::TempDir empty;
  const CpuTimes times(empty.path());
  ManualClock clock;
  CpuLoadRecorder recorder(times, clock, 1ms);
  recorder.start();
  clock.pass(10ms);
  EXPECT_TRUE(recorder.stop().empty());
}

TEST(CpuLoadRecorder, WithoutAStartThereAreNoSamples) {
  const CpuTimes times;
  ManualClock clock;
  CpuLoadRecorder recorder(times, clock);
  EXPECT_TRUE(recorder.stop().empty());
  recorder.start();
  recorder.start();  // again: no harm
  clock.pass(1us);
  EXPECT_EQ(recorder.stop().size(), 2U);
  EXPECT_TRUE(recorder.stop().empty());
}

}  // namespace
}  // namespace enprof
