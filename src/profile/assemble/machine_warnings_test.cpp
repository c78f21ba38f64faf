#include "profile/assemble/machine_warnings.hpp"

#include "support/warning_codes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A machine that tells everything, and of which there is nothing to tell.
MachineStress calm() {
  const CpuSpeedLimits limits{
      .rated = 2'000'000, .highest = 4'000'000, .allowed = 4'000'000, .governor = "performance"};
  return {.duration = 10s,
          .memory_stall_share = 0.0,
          .io_stall_share = 0.0,
          .stolen_share = 0.0,
          .cpu_wait_share = 0.01,
          .disk_reads = 3,
          .swapped_before = 0,
          .swapped_after = 0,
          .throttling = ThermalThrottling{},
          .quota = CpuThrottling{.cpus = 2.0, .share = 0.0, .withheld = 0s},
          .limits_before = limits,
          .limits_after = limits};
}

const std::vector<std::uint64_t> kSteady{3'000'000, 3'050'000, 2'950'000};

std::vector<std::string> codes(const MachineStress& stress,
                               const std::vector<std::uint64_t>& speeds = kSteady) {
  return testing::warning_codes(machine_warnings(stress, 0s, speeds));
}

/// The only warning; with a code, a component and a hint.
Warning the_warning(const MachineStress& stress, const std::vector<std::uint64_t>& speeds = kSteady,
                    Nanoseconds slept = 0s) {
  const auto warnings = machine_warnings(stress, slept, speeds);
  EXPECT_EQ(warnings.size(), 1U);
  if (warnings.empty()) {
    return {};
  }
  EXPECT_EQ(warnings[0].component, "machine");
  EXPECT_FALSE(warnings[0].hint.empty());
  return warnings[0];
}

TEST(MachineWarnings, ACalmMachineHasNone) {
  EXPECT_THAT(codes(calm()), IsEmpty());
  EXPECT_THAT(codes({}, {}), IsEmpty()) << "what is not known is no warning";
}

TEST(MachineWarnings, SleepIsTold) {
  const Warning warning = the_warning(calm(), kSteady, 61s);
  EXPECT_EQ(warning.code, "machine_slept");
  EXPECT_THAT(warning.message, HasSubstr("slept for 61.0 s"));
}

TEST(MachineWarnings, MemoryPressure) {
  MachineStress stress = calm();
  stress.memory_stall_share = 0.009;
  EXPECT_THAT(codes(stress), IsEmpty());
  stress.memory_stall_share = 0.25;
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "memory_pressure");
  EXPECT_THAT(warning.message, HasSubstr("in 25.0 % of the time"));
}

TEST(MachineWarnings, IoPressure) {
  MachineStress stress = calm();
  stress.io_stall_share = 0.02;
  EXPECT_EQ(the_warning(stress).code, "io_pressure");
}

TEST(MachineWarnings, StolenTime) {
  MachineStress stress = calm();
  stress.stolen_share = 0.019;
  EXPECT_THAT(codes(stress), IsEmpty());
  stress.stolen_share = 0.12;
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "cpu_stolen");
  EXPECT_THAT(warning.message, HasSubstr("12.0 % of the CPU time"));
}

TEST(MachineWarnings, Contention) {
  MachineStress stress = calm();
  stress.cpu_wait_share = 0.3;
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "cpu_contention");
  EXPECT_THAT(warning.message, HasSubstr("waited for a CPU in 30.0 %"));
  stress.duration = 50ms;
  EXPECT_THAT(codes(stress), IsEmpty()) << "less than a scheduler's turn";
}

TEST(MachineWarnings, Quota) {
  MachineStress stress = calm();
  stress.quota = CpuThrottling{.cpus = 1.5, .share = 0.4, .withheld = 2500ms};
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "cpu_quota");
  EXPECT_THAT(warning.message, HasSubstr("(1.5 CPUs)"));
  EXPECT_THAT(warning.message, HasSubstr("40.0 % of the periods, and withheld 2.5 s"));
}

TEST(MachineWarnings, Heat) {
  MachineStress stress = calm();
  stress.throttling = ThermalThrottling{.events = 1, .time = {}, .cpus = 4};
  EXPECT_THAT(the_warning(stress).message, HasSubstr("1 event on 4 CPUs"));
  stress.throttling->time = 1300ms;
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "cpu_throttled");
  EXPECT_THAT(warning.message, HasSubstr("1 event on 4 CPUs, for 1.3 s"));
}

TEST(MachineWarnings, ASpeedThatChanges) {
  EXPECT_THAT(codes(calm(), {4'000'000, 3'700'000}), IsEmpty());
  const Warning turbo_ends = the_warning(calm(), {4'000'000, 4'000'000, 3'000'000, 3'000'000});
  EXPECT_EQ(turbo_ends.code, "cpu_frequency_changed");
  EXPECT_THAT(turbo_ends.message, HasSubstr("ran at 3.00 to 4.00 GHz"));
  std::vector<std::uint64_t> once(20, 4'000'000);
  once[7] = 800'000;
  EXPECT_THAT(codes(calm(), once), IsEmpty()) << "one moment without work";
}

TEST(MachineWarnings, ALimitOrAGovernorThatChanges) {
  MachineStress stress = calm();
  stress.limits_after.allowed = 2'500'000;
  stress.limits_after.governor = "powersave";
  const Warning warning = the_warning(stress);
  EXPECT_EQ(warning.code, "cpu_frequency_changed");
  EXPECT_THAT(warning.message, HasSubstr("the limit went from 4.00 to 2.50 GHz; the governor went "
                                         "from performance to powersave"));
  stress.limits_before = {};
  EXPECT_THAT(codes(stress), IsEmpty()) << "what was not known before did not change";
}

TEST(MachineWarnings, ALowSpeed) {
  MachineStress stress = calm();
  const Warning warning = the_warning(stress, {1'500'000, 1'500'000});
  EXPECT_EQ(warning.code, "cpu_frequency_low");
  EXPECT_THAT(
      warning.message,
      HasSubstr("ran at 1.50 GHz, below their rated 2.00 GHz, with the governor performance"));
  EXPECT_THAT(codes(stress, {1'950'000}), IsEmpty());
  stress.limits_after.rated = std::nullopt;
  EXPECT_THAT(codes(stress, {2'100'000}), IsEmpty());
  EXPECT_THAT(the_warning(stress, {1'900'000}).message,
              HasSubstr("less than half of their highest 4.00 GHz"));
}

TEST(MachineWarnings, SwapAndDisk) {
  MachineStress stress = calm();
  stress.swapped_before = 8192;
  stress.swapped_after = 8192;
  EXPECT_THAT(codes(stress), IsEmpty()) << "a page that nobody needs";
  stress.swapped_after = 64U << 20U;
  EXPECT_THAT(the_warning(stress).message, HasSubstr("8.0 KiB at the begin, 64.0 MiB at the end"));
  stress.swapped_after = 8192;
  stress.disk_reads = 5000;
  EXPECT_THAT(codes(stress), ElementsAre("process_swapped")) << "it reads its memory back";
  stress.swapped_before = stress.swapped_after = 0;
  const Warning cold = the_warning(stress);
  EXPECT_EQ(cold.code, "model_not_in_memory");
  EXPECT_THAT(cold.message, HasSubstr("waited 5000 times for the disk"));
}

}  // namespace
}  // namespace enprof
