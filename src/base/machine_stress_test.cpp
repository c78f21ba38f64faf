#include "base/machine_stress.hpp"

#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class MachineStressTest : public ::testing::Test {
 protected:
  [[nodiscard]] StressReading read() const {
    return read_machine_stress(dir_.path() / "proc", dir_.path() / "sys", clock_);
  }
  void write_pressure(const std::string& what, std::int64_t some_us, std::int64_t full_us) const {
    const std::string rest = " avg10=0.00 avg60=0.00 avg300=0.00 total=";
    dir_.write("proc/pressure/" + what, "some" + rest + std::to_string(some_us) + "\nfull" + rest +
                                            std::to_string(full_us) + "\n");
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
};

TEST_F(MachineStressTest, OfAMachineThatTellsNothingNothingIsKnown) {
  const StressReading begin = read();
  clock_.advance(10s);
  const MachineStress stress = stress_between(begin, read());
  EXPECT_EQ(stress.duration, 10s);
  EXPECT_FALSE(stress.memory_stall_share || stress.io_stall_share || stress.stolen_share);
  EXPECT_FALSE(stress.cpu_wait_share || stress.disk_reads || stress.swapped_after);
  EXPECT_FALSE(stress.throttling || stress.quota || stress.limits_after.allowed);
}

TEST_F(MachineStressTest, PressureIsAShareOfTheTime) {
  write_pressure("memory", 5'000'000, 1'000'000);
  write_pressure("io", 70'000'000, 2'000'000);
  const StressReading begin = read();
  clock_.advance(10s);
  EXPECT_EQ(stress_between(begin, read()).memory_stall_share, 0.0) << "zero is known";
  write_pressure("memory", 5'500'000, 1'000'000);
  write_pressure("io", 75'000'000, 2'100'000);
  const MachineStress stress = stress_between(begin, read());
  EXPECT_DOUBLE_EQ(*stress.memory_stall_share, 0.05) << "some: each task that waits costs time";
  EXPECT_DOUBLE_EQ(*stress.io_stall_share, 0.01) << "full: others may read while we compute";
}

TEST_F(MachineStressTest, StolenTimeIsAShareOfWhatTheMachineWanted) {
  dir_.write("proc/stat", "cpu  100 0 0 5000 0 0 0 20 0 0\ncpu0 1 1 1 1\n");
  const StressReading begin = read();
  clock_.advance(1s);
  dir_.write("proc/stat", "cpu  110 5 15 9000 70 2 3 25 4 4\ncpu0 1 1 1 1\n");
  // Idle and waiting for a disk are not wanted; guest time is in user time.
  EXPECT_DOUBLE_EQ(*stress_between(begin, read()).stolen_share, 5.0 / (10 + 5 + 15 + 2 + 3 + 5));
  dir_.write("proc/stat", "cpu  104 0 0 9000 0 0 0 24 0 0\n");
  EXPECT_EQ(stress_between(begin, read()).stolen_share, std::nullopt) << "8 ticks are no share";
}

TEST_F(MachineStressTest, TimesThatCannotBeAreNone) {
  for (const char* stat :
       {"", "cpu 1 2 3\n", "cpu  -1 0 0 0 0 0 0 0\n", "intr 5\n",
        "cpu  18446744073709551615 0 0 18446744073709551615 0 0 0 18446744073709551615 0 0\n"}) {
    dir_.write("proc/stat", stat);
    EXPECT_EQ(read().stolen, std::nullopt) << stat;
  }
  for (const char* text :
       {"", "some\n", "some total=\n", "some total=-1\n", "full total=5\n",
        "some total=18446744073709551615\n", "some total=9223372036854775807\n"}) {
    dir_.write("proc/pressure/memory", text);
    EXPECT_EQ(read().memory_stall, std::nullopt) << text;
  }
}

TEST_F(MachineStressTest, CountersThatWentBackAreUnknown) {
  write_pressure("memory", 5'000'000, 0);
  const StressReading begin = read();
  clock_.advance(1s);
  write_pressure("memory", 1'000'000, 0);
  EXPECT_EQ(stress_between(begin, read()).memory_stall_share, std::nullopt);
}

TEST_F(MachineStressTest, HoldsWhatItsPartsSay) {
  dir_.write("proc/self/stat", "1 (x) S 1 1 1 0 -1 0 1 2 3 4 5 6 0 0 20 0 2 0 9 9\n");
  dir_.write("proc/self/status", "VmSwap:\t 4 kB\n");
  dir_.write("proc/self/cgroup", "0::/\n");
  dir_.write("sys/fs/cgroup/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
  const std::string cpu = "sys/devices/system/cpu/cpu0/";
  dir_.write(cpu + "thermal_throttle/core_throttle_count", "1\n");
  dir_.write(cpu + "cpufreq/scaling_max_freq", "4000000\n");
  const StressReading begin = read();
  clock_.advance(2s);
  dir_.write("proc/self/stat", "1 (x) S 1 1 1 0 -1 0 1 2 13 4 5 6 0 0 20 0 2 0 9 9\n");
  dir_.write("proc/self/status", "VmSwap:\t 8 kB\n");
  dir_.write("sys/fs/cgroup/cpu.stat", "nr_periods 20\nnr_throttled 10\nthrottled_usec 5\n");
  dir_.write(cpu + "thermal_throttle/core_throttle_count", "4\n");
  dir_.write(cpu + "cpufreq/scaling_max_freq", "3000000\n");
  const MachineStress stress = stress_between(begin, read());
  EXPECT_EQ(stress.disk_reads, 10U);
  EXPECT_EQ(stress.swapped_before, 4096U);
  EXPECT_EQ(stress.swapped_after, 8192U);
  EXPECT_EQ(stress.throttling->events, 3U);
  EXPECT_EQ(stress.quota->share, 0.5);
  EXPECT_EQ(stress.limits_before.allowed, 4'000'000U);
  EXPECT_EQ(stress.limits_after.allowed, 3'000'000U);
}

#if defined(__linux__)
TEST(MachineStress, IsReadOnThisMachine) {
  const StressReading begin = read_machine_stress("/proc", "/sys");
  const StressReading end = read_machine_stress("/proc", "/sys");
  EXPECT_TRUE(begin.wanted);
  EXPECT_TRUE(begin.waits.disk_reads);
  EXPECT_GT(end.at, begin.at);
  EXPECT_TRUE(stress_between(begin, end).disk_reads);
}
#endif

}  // namespace
}  // namespace enprof
