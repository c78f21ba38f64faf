#include "limits/power_limits.hpp"

#include "base/kernel_text.hpp"
#include "base/write_signals.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"
#include "support/wait_until.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;

/// The test program is its own guard: see main() at the end.
std::vector<std::string> guard_command() {
  return {std::filesystem::read_symlink("/proc/self/exe").string(), kLimitGuardArgument};
}

/// A machine of one package and two frequency policies.
class PowerLimitsTest : public ::testing::Test {
 protected:
  PowerLimitsTest() {
    write(kZone, "name", "package-0\n");
    write(kZone, "enabled", "0\n");
    write(kZone, "constraint_0_name", "long_term\n");
    write(kZone, "constraint_0_power_limit_uw", "65000000\n");
    write(kZone, "constraint_0_max_power_uw", "95000000\n");
    write(kZone, "constraint_1_name", "short_term\n");
    write(kZone, "constraint_1_power_limit_uw", "90000000\n");
    write(kZone, "constraint_1_max_power_uw", "0\n");
    for (const char* const policy : {"policy0", "policy1"}) {
      const std::string directory = fmt::format("devices/system/cpu/cpufreq/{}", policy);
      write(directory, "scaling_max_freq", "3600000\n");
      write(directory, "cpuinfo_min_freq", "800000\n");
      write(directory, "cpuinfo_max_freq", "4200000\n");
    }
  }
  void write(const std::string& directory, const std::string& name, const std::string& text) {
    std::filesystem::create_directories(dir_.path() / directory);
    dir_.write(directory + "/" + name, text);
  }
  [[nodiscard]] std::uint64_t number(const std::string& file) const {
    return number_of(dir_.path() / file).value_or(0);
  }
  [[nodiscard]] std::uint64_t package_limit() const {
    return number("class/powercap/intel-rapl:0/constraint_0_power_limit_uw");
  }
  [[nodiscard]] std::uint64_t frequency() const {
    return number("devices/system/cpu/cpufreq/policy1/scaling_max_freq");
  }
  [[nodiscard]] PowerLimits limits() const {
    return PowerLimits({.sysfs_root = dir_.path(),
                        .nvml_library = "/nonexistent/libnvidia-ml.so.1",
                        .guard = guard_command()});
  }

  static constexpr const char* kZone = "class/powercap/intel-rapl:0";
  testing::TempDir dir_;
};

TEST_F(PowerLimitsTest, SetsBothLimitsOfAPackageAndRestoresThem) {
  PowerLimits limits = this->limits();
  ASSERT_TRUE(limits.prepare({{.cpu_power_w = 40}}));
  EXPECT_EQ(package_limit(), 65'000'000U) << "preparing changes nothing";
  ASSERT_TRUE(limits.set({.cpu_power_w = 40}));
  EXPECT_EQ(package_limit(), 40'000'000U);
  EXPECT_EQ(number("class/powercap/intel-rapl:0/constraint_1_power_limit_uw"), 40'000'000U);
  EXPECT_EQ(number("class/powercap/intel-rapl:0/enabled"), 1U);
  EXPECT_EQ(frequency(), 3'600'000U) << "it was not asked for";
  ASSERT_TRUE(limits.set({.cpu_power_w = 30}));
  EXPECT_EQ(package_limit(), 30'000'000U);
  ASSERT_TRUE(limits.set({}));
  EXPECT_EQ(package_limit(), 65'000'000U);
  ASSERT_TRUE(limits.set({.cpu_power_w = 50}));
  ASSERT_TRUE(limits.restore());
  EXPECT_EQ(package_limit(), 65'000'000U);
  EXPECT_EQ(number("class/powercap/intel-rapl:0/constraint_1_power_limit_uw"), 90'000'000U);
  EXPECT_EQ(number("class/powercap/intel-rapl:0/enabled"), 0U);
}

TEST_F(PowerLimitsTest, TheFrequencyOfAllPolicies) {
  PowerLimits limits = this->limits();
  ASSERT_TRUE(limits.prepare({{.cpu_frequency_mhz = 2000}}));
  ASSERT_TRUE(limits.set({.cpu_frequency_mhz = 2000}));
  EXPECT_EQ(frequency(), 2'000'000U);
  EXPECT_EQ(number("devices/system/cpu/cpufreq/policy0/scaling_max_freq"), 2'000'000U);
  ASSERT_TRUE(limits.restore());
  EXPECT_EQ(frequency(), 3'600'000U);
}

TEST_F(PowerLimitsTest, AValueOutOfRangeChangesNothing) {
  PowerLimits limits = this->limits();
  ASSERT_TRUE(limits.prepare({{.cpu_power_w = 200, .cpu_frequency_mhz = 100}}));
  const auto power = limits.set({.cpu_power_w = 200});
  ASSERT_FALSE(power);
  EXPECT_EQ(power.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(power.error().message, HasSubstr("cannot be 200 W: it may be 0 to 95 W"));
  EXPECT_THAT(limits.set({.cpu_frequency_mhz = 100}).error().message,
              HasSubstr("cannot be 100 MHz: it may be 800 to 4200 MHz"));
  EXPECT_EQ(package_limit(), 65'000'000U);
}

TEST_F(PowerLimitsTest, AMachineWithoutSuchALimitSaysSo) {
  PowerLimits limits = this->limits();
  EXPECT_THAT(limits.prepare({{.gpu_power_w = 200}}).error().message,
              HasSubstr("no GPU whose power limit can be set"));
  std::filesystem::remove_all(dir_.path() / "class");
  EXPECT_EQ(limits.prepare({{.cpu_power_w = 40}}).error().code, ErrorCode::unsupported);
}

/// A machine of two GPUs, whose limits all processes see.
class GpuLimitsTest : public ::testing::Test {
 protected:
  GpuLimitsTest() {
    const auto trace = dir_.write("trace", "gpu 0 uuid=GPU-a\ngpu 1 uuid=GPU-b\nat 0 count 2\n");
    std::filesystem::create_directory(dir_.path() / "limits");
    setenv("ENPROF_FAKE_NVML", trace.c_str(), 1);
    setenv("ENPROF_FAKE_NVML_LIMITS", (dir_.path() / "limits").c_str(), 1);
  }
  ~GpuLimitsTest() override {
    unsetenv("ENPROF_FAKE_NVML");
    unsetenv("ENPROF_FAKE_NVML_LIMITS");
  }
  [[nodiscard]] std::uint64_t limit(const char* uuid) const {
    return number_of(dir_.path() / "limits" / uuid).value_or(300'000);
  }
  [[nodiscard]] PowerLimits limits() const {
    return PowerLimits({.sysfs_root = dir_.path(),
                        .nvml_library = ENPROF_FAKE_NVML_LIBRARY,
                        .guard = guard_command()});
  }

  testing::TempDir dir_;
};

TEST_F(GpuLimitsTest, SetsTheLimitOfEachGpuAndRestoresIt) {
  PowerLimits limits = this->limits();
  const auto prepared = limits.prepare({{.gpu_power_w = 200}});
  ASSERT_TRUE(prepared) << prepared.error().message;
  const auto set = limits.set({.gpu_power_w = 200});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(limit("GPU-a"), 200'000U);
  EXPECT_EQ(limit("GPU-b"), 200'000U);
  EXPECT_THAT(limits.set({.gpu_power_w = 500}).error().message,
              HasSubstr("cannot be 500 W: it may be 100 to 400 W"));
  const auto restored = limits.restore();
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(limit("GPU-a"), 300'000U);
  EXPECT_EQ(limit("GPU-b"), 300'000U);
}

TEST_F(GpuLimitsTest, WithoutTheRightNothingIsChanged) {
  unsetenv("ENPROF_FAKE_NVML_LIMITS");
  PowerLimits limits = this->limits();
  const auto refused = limits.prepare({{.gpu_power_w = 200}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(refused.error().hint, HasSubstr("sudo"));
}

TEST_F(PowerLimitsTest, WithoutTheRightNothingIsChanged) {
  using std::filesystem::perms;
  // Who gives up root's rights stays in root's group.
  std::filesystem::permissions(
      dir_.path(), perms::group_read | perms::group_exec | perms::others_read | perms::others_exec,
      std::filesystem::perm_options::add);
  const testing::Unprivileged nobody;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "needs to drop root's rights";
  }
  PowerLimits limits = this->limits();
  const auto refused = limits.prepare({{.cpu_power_w = 40}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(refused.error().hint, HasSubstr("sudo"));
}

TEST_F(PowerLimitsTest, WhatCannotBeRestoredIsSaid) {
  PowerLimits limits = this->limits();
  ASSERT_TRUE(limits.prepare({{.cpu_power_w = 40}}));
  ASSERT_TRUE(limits.set({.cpu_power_w = 40}));
  std::filesystem::remove(dir_.path() / kZone / "constraint_0_power_limit_uw");
  std::filesystem::create_directory(dir_.path() / kZone / "constraint_0_power_limit_uw");
  const auto restored = limits.restore();
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().message, HasSubstr("constraint_0_power_limit_uw was 65000000: "));
  EXPECT_EQ(number("class/powercap/intel-rapl:0/constraint_1_power_limit_uw"), 90'000'000U)
      << "the others are restored";
}

TEST_F(PowerLimitsTest, AGuardThatIsGoneStopsTheChanges) {
  LimitSetting setting{.target = (dir_.path() / kZone / "constraint_0_power_limit_uw").string(),
                       .value = 65'000'000};
  auto guard = LimitGuard::start(guard_command(), {setting});
  ASSERT_TRUE(guard);
  EXPECT_TRUE(guard->is_alive());
  kill(guard->pid(), SIGKILL);
  testing::wait_until("the guard is gone", [&] { return !guard->is_alive(); });
  const auto released = guard->release();
  ASSERT_FALSE(released);
  EXPECT_THAT(released.error().message, HasSubstr("is gone"));
  EXPECT_FALSE(LimitGuard::start({"/nonexistent/guard"}, {setting}));
  EXPECT_FALSE(LimitGuard::start({"/bin/true"}, {setting})) << "it does not answer";
}

TEST_F(PowerLimitsTest, AKilledProgramLeavesTheMachineAsItWas) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // changes a limit, and waits to be killed
    setpgid(0, 0);
    PowerLimits limits = this->limits();
    const bool is_set = limits.prepare({{.cpu_power_w = 40}}) && limits.set({.cpu_power_w = 40});
    if (!is_set) {
      _exit(1);
    }
    for (;;) {
      pause();
    }
  }
  testing::wait_until("the limit is set", [&] { return package_limit() == 40'000'000U; });
  kill(-child, SIGINT);  // what a terminal sends does not reach the guard
  kill(-child, SIGHUP);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  testing::wait_until("it is restored", [&] { return package_limit() == 65'000'000U; });
  testing::wait_until("the switch is restored",
                      [&] { return number("class/powercap/intel-rapl:0/enabled") == 0U; });
}

TEST(LimitSetting, ComesBackFromTheGuardsPipe) {
  const std::vector<LimitSetting> settings{
      {.target = "/sys/a \"b\"", .value = 5},
      {.kind = LimitSetting::Kind::gpu, .target = "GPU-1", .library = "lib.so", .value = 300'000}};
  const auto back = settings_from_json(settings_to_json(settings));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, settings);
  EXPECT_FALSE(settings_from_json("[{}]"));
  EXPECT_FALSE(settings_from_json("nonsense"));
}

}  // namespace
}  // namespace enprof

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == enprof::kLimitGuardArgument) {
    return enprof::run_limit_guard(STDIN_FILENO, STDOUT_FILENO);
  }
  enprof::ignore_write_signals();  // as the program does: a guard may be gone when it is written to
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
