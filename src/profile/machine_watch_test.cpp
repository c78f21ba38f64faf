#include "profile/machine_watch.hpp"

#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MachineWatchTest : public ::testing::Test {
 protected:
  [[nodiscard]] MachineWatch::Options options() const {
    return {.procfs_root = dir_.path() / "proc",
            .sysfs_root = dir_.path() / "sys",
            .clock = &clock_,
            .boot = &boot_};
  }
  void set_speed(std::string_view khz) const {
    dir_.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", khz);
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::ManualClock boot_;
};

TEST_F(MachineWatchTest, ReadsTheSpeedWhileTheRunGoesOn) {
  set_speed("800000\n");
  MachineWatch watch(options());
  watch.start();
  set_speed("4000000\n");
  clock_.pass(1s);
  set_speed("3000000\n");
  clock_.pass(1500ms);
  set_speed("800000\n");
  const auto found = watch.stop();
  ASSERT_TRUE(found);
  EXPECT_THAT(found->speeds, ElementsAre(4'000'000, 3'000'000, 3'000'000))
      << "not that of the idle CPU before and after";
  EXPECT_EQ(found->stress.duration, 2500ms);
}

TEST_F(MachineWatchTest, WhereNoCpuTellsItsSpeedThereIsNoThread) {
  MachineWatch watch(options());
  watch.start();
  clock_.pass(10s);
  const auto found = watch.stop();
  ASSERT_TRUE(found);
  EXPECT_THAT(found->speeds, IsEmpty());
}

TEST_F(MachineWatchTest, KeepsFewerSpeedsOfALongRun) {
  set_speed("1000000\n");
  auto few = options();
  few.most_speeds = 8;
  MachineWatch watch(few);
  watch.start();
  clock_.pass(100s);
  const auto found = watch.stop();
  EXPECT_GE(found->speeds.size(), 4U);
  EXPECT_LE(found->speeds.size(), 8U);
}

TEST_F(MachineWatchTest, NoticesSleep) {
  MachineWatch watch(options());
  watch.start();
  clock_.advance(2s);
  boot_.advance(62s);
  EXPECT_EQ(watch.stop()->slept, 60s);
}

TEST_F(MachineWatchTest, FindsNothingBeforeItIsStartedAndWorksAgain) {
  MachineWatch watch(options());
  EXPECT_FALSE(watch.stop());
  set_speed("1000000\n");
  watch.start();
  clock_.pass(150ms);
  EXPECT_EQ(watch.stop()->speeds.size(), 1U);
  EXPECT_FALSE(watch.stop());
  watch.start();
  EXPECT_THAT(watch.stop()->speeds, IsEmpty());
}

}  // namespace
}  // namespace enprof
