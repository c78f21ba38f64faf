#include "base/thermal_throttle.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ThermalThrottleTest : public ::testing::Test {
 protected:
  void write(int cpu, const std::string& what, int events, int ms = -1) const {
    const std::string place =
        "devices/system/cpu/cpu" + std::to_string(cpu) + "/thermal_throttle/" + what;
    dir_.write(place + "_throttle_count", std::to_string(events) + "\n");
    if (ms >= 0) {
      dir_.write(place + "_throttle_total_time_ms", std::to_string(ms) + "\n");
    }
  }
  [[nodiscard]] ThrottleCounters read() const { return read_throttle_counters(dir_.path()); }

  testing::TempDir dir_;
};

TEST_F(ThermalThrottleTest, CountsTheCpuWithTheMost) {
  for (int cpu = 0; cpu < 12; ++cpu) {
    write(cpu, "core", 10, 100);
    write(cpu, "package", 40, 400);
  }
  const auto begin = read();
  EXPECT_THAT(begin, SizeIs(24));
  EXPECT_EQ(throttling_between(begin, read()), (ThermalThrottling{.events = 0, .time = 0s}));
  write(3, "core", 12, 150);
  write(11, "core", 11, 350);
  EXPECT_EQ(throttling_between(begin, read()),
            (ThermalThrottling{.events = 2, .time = 250ms, .cpus = 2}));
}

TEST_F(ThermalThrottleTest, APackageSlowsAllItsCpus) {
  write(0, "package", 1);
  write(1, "package", 1);
  const auto begin = read();
  write(0, "package", 5);
  write(1, "package", 5);
  EXPECT_EQ(throttling_between(begin, read()),
            (ThermalThrottling{.events = 4, .time = {}, .cpus = 2}))
      << "older kernels count no time";
}

TEST_F(ThermalThrottleTest, WithoutCountersNothingIsKnown) {
  dir_.write("devices/system/cpu/cpu0/online", "1\n");
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(throttling_between(read(), read()), std::nullopt);
}

TEST_F(ThermalThrottleTest, ACounterThatWentBackSaysNothing) {
  write(0, "core", 7, 70);
  const auto begin = read();
  write(0, "core", 2, 20);
  EXPECT_EQ(throttling_between(begin, read()), std::nullopt);
}

}  // namespace
}  // namespace enprof
