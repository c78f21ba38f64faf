#include "base/cpu_speed.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

class CpuSpeedTest : public ::testing::Test {
 protected:
  void write(int cpu, const std::string& file, std::string_view text) const {
    dir_.write("devices/system/cpu/cpu" + std::to_string(cpu) + "/" + file, text);
  }

  testing::TempDir dir_;
};

TEST_F(CpuSpeedTest, LimitsAreThoseOfTheFastestCpu) {
  for (const int cpu : {0, 1}) {  // a fast core and a small one
    write(cpu, "cpufreq/base_frequency", cpu == 0 ? "3000000\n" : "2000000\n");
    write(cpu, "cpufreq/cpuinfo_max_freq", cpu == 0 ? "5000000\n" : "3800000\n");
    write(cpu, "cpufreq/scaling_max_freq", cpu == 0 ? "4500000\n" : "3800000\n");
    write(cpu, "cpufreq/scaling_governor", "powersave\n");
  }
  EXPECT_EQ(read_cpu_speed_limits(dir_.path()), (CpuSpeedLimits{.rated = 3'000'000,
                                                                .highest = 5'000'000,
                                                                .allowed = 4'500'000,
                                                                .governor = "powersave"}));
  write(1, "cpufreq/scaling_governor", "performance\n");
  EXPECT_EQ(read_cpu_speed_limits(dir_.path()).governor, "performance, powersave");
}

TEST_F(CpuSpeedTest, TheRatedSpeedMayBeInCppc) {
  write(0, "acpi_cppc/nominal_freq", "2400\n");
  EXPECT_EQ(read_cpu_speed_limits(dir_.path()).rated, 2'400'000U);
  write(0, "acpi_cppc/nominal_freq", "0\n");  // some firmware says so
  EXPECT_EQ(read_cpu_speed_limits(dir_.path()).rated, std::nullopt);
}

TEST_F(CpuSpeedTest, WithoutCpufreqNothingIsKnown) {
  write(0, "online", "1\n");
  EXPECT_EQ(read_cpu_speed_limits(dir_.path()), CpuSpeedLimits{});
  EXPECT_EQ(CpuSpeedometer(dir_.path()).fastest(), std::nullopt);
}

TEST_F(CpuSpeedTest, ReadsTheFastestCpuAnewEachTime) {
  for (int cpu = 0; cpu < 4; ++cpu) {
    write(cpu, "cpufreq/scaling_cur_freq", "800000\n");
  }
  const CpuSpeedometer speedometer(dir_.path());
  EXPECT_EQ(speedometer.fastest(), 800'000U);
  write(2, "cpufreq/scaling_cur_freq", "3600000\n");
  write(3, "cpufreq/scaling_cur_freq", "<unknown>\n");
  EXPECT_EQ(speedometer.fastest(), 3'600'000U);
}

TEST_F(CpuSpeedTest, OfManyCpusItReadsSomeOfEachPart) {
  constexpr int kCpus = 256;
  for (int cpu = 0; cpu < kCpus; ++cpu) {
    write(cpu, "cpufreq/scaling_cur_freq", cpu < 192 ? "800000\n" : "3000000\n");
  }
  EXPECT_EQ(CpuSpeedometer(dir_.path()).fastest(), 3'000'000U);
}

}  // namespace
}  // namespace enprof
