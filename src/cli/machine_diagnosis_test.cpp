#include "cli/machine_diagnosis.hpp"

#include "support/fake_procfs.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using State = DiagnosisState;

class MachineDiagnosisTest : public ::testing::Test {
 protected:
  testing::TempDir sysfs_;
  testing::TempDir root_;
  testing::FakeProcfs procfs_{2};
};

/// A clock whose readings take long.
class SlowClock final : public Clock {
 public:
  explicit SlowClock(Nanoseconds cost) : cost_(cost) {}
  [[nodiscard]] Instant now() const noexcept override { return now_ += cost_; }

 private:
  Nanoseconds cost_;
  mutable Instant now_{};
};

#if !defined(__APPLE__)

TEST_F(MachineDiagnosisTest, RealHardwareIsSaidToBe) {
  sysfs_.write("class/dmi/id/sys_vendor", "LENOVO\n");
  sysfs_.write("class/dmi/id/product_name", "20XWCTO1WW\n");
  const auto found = diagnose_virtualization(sysfs_.path(), procfs_.root(), root_.path());
  EXPECT_EQ(found.state, State::good);
  EXPECT_THAT(found.detail, HasSubstr("none detected (LENOVO 20XWCTO1WW)"));
  EXPECT_EQ(found.fix, "");
}

TEST_F(MachineDiagnosisTest, TheCpusFlagGivesAVirtualMachineAway) {
  procfs_.write("cpuinfo", testing::FakeProcfs::x86("AMD EPYC", 2, 1, true));
  const auto found = diagnose_virtualization(sysfs_.path(), procfs_.root(), root_.path());
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.detail, HasSubstr("a virtual machine: these rarely have RAPL"));
  EXPECT_THAT(found.fix, HasSubstr("on the host"));
}

TEST_F(MachineDiagnosisTest, SoDoesItsFirmware) {
  sysfs_.write("class/dmi/id/sys_vendor", "QEMU\n");
  sysfs_.write("class/dmi/id/product_name", "QEMU Standard PC (Q35)\n");
  root_.write(".dockerenv", "");
  const auto found = diagnose_virtualization(sysfs_.path(), procfs_.root(), root_.path());
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.detail, HasSubstr("(QEMU QEMU Standard PC (Q35)), in a container"));
}

TEST_F(MachineDiagnosisTest, AContainerOnRealHardwareIsRecognized) {
  root_.write("run/.containerenv", "");
  const auto found = diagnose_virtualization(sysfs_.path(), procfs_.root(), root_.path());
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.detail, HasSubstr("a container"));
  EXPECT_THAT(found.detail, Not(HasSubstr("virtual machine")));
}

#endif

TEST_F(MachineDiagnosisTest, TheClockSourceIsNamed) {
  sysfs_.write("devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  sysfs_.write("devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n");
  const auto found = diagnose_clock(sysfs_.path(), SlowClock(25ns));
  EXPECT_EQ(found.state, State::good);
  EXPECT_THAT(found.detail, HasSubstr("from tsc (of tsc hpet)"));
  EXPECT_EQ(found.fix, "");
}

TEST_F(MachineDiagnosisTest, ASlowClockIsSaidWithAQuickerOne) {
  const SlowClock slow(2us);
  sysfs_.write("devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  sysfs_.write("devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n");
  auto found = diagnose_clock(sysfs_.path(), slow);
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.fix, HasSubstr("echo tsc | sudo tee "));
  sysfs_.write("devices/system/clocksource/clocksource0/available_clocksource", "hpet\n");
  found = diagnose_clock(sysfs_.path(), slow);
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.fix, Not(HasSubstr("tee")));
}

TEST_F(MachineDiagnosisTest, GovernorsAreCounted) {
  EXPECT_THAT(diagnose_governor(sysfs_.path()).detail, HasSubstr("unknown"));
  EXPECT_EQ(diagnose_governor(sysfs_.path()).state, State::good) << "nothing can be done about it";
  for (const int cpu : {0, 1, 2}) {
    sysfs_.write("devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_governor",
                 "performance\n");
  }
  EXPECT_EQ(diagnose_governor(sysfs_.path()).detail, "performance on 3 CPUs");
  EXPECT_EQ(diagnose_governor(sysfs_.path()).state, State::good);
  sysfs_.write("devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  const auto mixed = diagnose_governor(sysfs_.path());
  EXPECT_EQ(mixed.state, State::limited);
  EXPECT_THAT(mixed.detail, HasSubstr("performance on 2 CPUs, powersave on 1 CPU"));
  EXPECT_THAT(mixed.fix, HasSubstr("cpupower frequency-set -g performance"));
}

TEST_F(MachineDiagnosisTest, PerfEventsMatterOnlyWhereThereIsAPowerPmu) {
  procfs_.write("sys/kernel/perf_event_paranoid", "2\n");
  auto found = diagnose_perf_events(sysfs_.path(), procfs_.root(), false);
  EXPECT_EQ(found.state, State::good);
  EXPECT_THAT(found.detail, HasSubstr("is 2; the kernel has no power PMU"));

  sysfs_.write("bus/event_source/devices/power/type", "25\n");
  found = diagnose_perf_events(sysfs_.path(), procfs_.root(), false);
  EXPECT_EQ(found.state, State::limited);
  EXPECT_THAT(found.fix, HasSubstr("sysctl kernel.perf_event_paranoid=0"));
  EXPECT_EQ(diagnose_perf_events(sysfs_.path(), procfs_.root(), true).state, State::good);
  procfs_.write("sys/kernel/perf_event_paranoid", "-1\n");
  EXPECT_EQ(diagnose_perf_events(sysfs_.path(), procfs_.root(), false).state, State::good);
  procfs_.write("sys/kernel/perf_event_paranoid", "none of your business\n");
  EXPECT_THAT(diagnose_perf_events(sysfs_.path(), procfs_.root(), false).detail,
              HasSubstr("unknown"));
}

TEST_F(MachineDiagnosisTest, TheDiskIsThatOfTheFileOrOfWhereItWouldBe) {
  const auto found = diagnose_disk(root_.path() / "not" / "yet" / "profiles.db");
  EXPECT_THAT(found.detail, HasSubstr("free of"));
  EXPECT_THAT(found.detail, HasSubstr(root_.path().string()));
  const testing::Tmpfs small("1m");
  if (!small.mounted()) {
    GTEST_SKIP() << small.why_not();
  }
  const auto full = diagnose_disk(small.path() / "profiles.db");
  EXPECT_EQ(full.state, State::bad);
  EXPECT_THAT(full.fix, HasSubstr("--db PATH"));
}

}  // namespace
}  // namespace enprof
