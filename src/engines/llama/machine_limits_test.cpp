#include "engines/llama/machine_limits.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <unistd.h>

namespace enprof {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1024} * 1024;

TEST(MachineLimits, ThisMachineHasMemoryAndCores) {
  EXPECT_GT(usable_memory().value_or(0), 64 * kMiB);
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__linux__)

class FakeMachine : public ::testing::Test {
 protected:
  FakeMachine() { write("proc/meminfo", "MemTotal:    8192 kB\nMemFree: 1 kB\n"); }
  void write(const std::string& path, const std::string& text) { directory_.write(path, text); }
  [[nodiscard]] MachineRoots roots() const {
    return {.sysfs = directory_.path() / "sys", .procfs = directory_.path() / "proc"};
  }
  void write_cores(const std::string& siblings) {
    for (int cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_CONF); ++cpu) {
      write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
            siblings.empty() ? std::to_string(cpu) : siblings);
    }
  }

 private:
  testing::TempDir directory_;
};

TEST_F(FakeMachine, MemoryIsTheMachinesWithoutAGroup) {
  EXPECT_EQ(usable_memory(roots()), 8 * kMiB);
}

TEST_F(FakeMachine, NothingIsKnownWithoutProc) {
  EXPECT_EQ(usable_memory({.sysfs = "/nonexistent", .procfs = "/nonexistent"}), std::nullopt);
}

TEST_F(FakeMachine, AGroupsLimitHoldsBelowTheMachines) {
  write("proc/self/cgroup", "0::/jobs/one\n");
  write("sys/fs/cgroup/jobs/one/memory.max", "max\n");
  EXPECT_EQ(usable_memory(roots()), 8 * kMiB);
  write("sys/fs/cgroup/jobs/memory.max", "4194304\n");  // of the group above
  EXPECT_EQ(usable_memory(roots()), 4 * kMiB);
  write("sys/fs/cgroup/jobs/one/memory.max", "2097152\n");
  EXPECT_EQ(usable_memory(roots()), 2 * kMiB);
  write("sys/fs/cgroup/jobs/one/memory.max", "1099511627776\n");  // more than the machine has
  EXPECT_EQ(usable_memory(roots()), 4 * kMiB);
}

TEST_F(FakeMachine, TheOldKindOfGroupCountsToo) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/a\n4:hugetlb,memory:/box\n0::/\n");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1048576\n");
  EXPECT_EQ(usable_memory(roots()), kMiB);
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");  // no limit
  EXPECT_EQ(usable_memory(roots()), 8 * kMiB);
}

TEST_F(FakeMachine, HardwareThreadsOfOneCoreCountOnce) {
  const int cpus = default_threads(roots());  // no topology: each CPU is a core
  write_cores("0-1023");
  EXPECT_EQ(default_threads(roots()), 1);
  write_cores("");
  EXPECT_EQ(default_threads(roots()), cpus);
}

TEST_F(FakeMachine, AQuotaLimitsTheThreads) {
  write("proc/self/cgroup", "0::/box\n");
  write("sys/fs/cgroup/box/cpu.max", "max 100000\n");
  const int cpus = default_threads(roots());
  write("sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  EXPECT_EQ(default_threads(roots()), 1);
  write("sys/fs/cgroup/box/cpu.max", "90000000 100000\n");
  EXPECT_EQ(default_threads(roots()), cpus);
}

TEST_F(FakeMachine, AQuotaIsRoundedDown) {
  write("proc/self/cgroup", "0::/box\n");
  write("sys/fs/cgroup/box/cpu.max", "199999 100000\n");
  EXPECT_EQ(default_threads(roots()), 1) << "all would wait for a second thread";
}

TEST_F(FakeMachine, TheLowestQuotaOnTheWayUpHolds) {
  write("proc/self/cgroup", "0::/pod/box\n");
  write("sys/fs/cgroup/pod/box/cpu.max", "90000000 100000\n");
  write("sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
  EXPECT_EQ(default_threads(roots()), 1);
}

TEST_F(FakeMachine, AQuotaOfTheOldKindLimitsTheThreadsToo) {
  write("proc/self/cgroup", "4:cpu,cpuacct:/pod/box\n0::/\n");
  const int cpus = default_threads(roots());
  write("sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(default_threads(roots()), cpus);
  write("sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(default_threads(roots()), 1);
  write("sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_quota_us", "90000000\n");
  EXPECT_EQ(default_threads(roots()), cpus);
  write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n");  // of the group above
  write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(default_threads(roots()), 1);
}

TEST_F(FakeMachine, InAContainerTheMountIsTheGroup) {
  // Docker without a namespace of control groups: the path is the host's.
  write("proc/self/cgroup", "7:cpuacct,cpu:/docker/abc\n5:memory:/docker/abc\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "120000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
  EXPECT_EQ(default_threads(roots()), 1);
  EXPECT_EQ(usable_memory(roots()), kMiB);
}

TEST_F(FakeMachine, AGroupOutsideOfTheNamespaceIsNotLookedForElsewhere) {
  write("proc/self/cgroup", "0::/../../other\n");
  write("sys/other/memory.max", "4096\n");
  write("sys/fs/other/memory.max", "4096\n");
  write("sys/fs/cgroup/memory.max", "1048576\n");
  EXPECT_EQ(usable_memory(roots()), kMiB);
}

TEST_F(FakeMachine, TheNewKindBesideTheOldOneIsMountedBelow) {
  write("proc/self/cgroup", "1:name=systemd:/box\n0::/box\n");
  write("sys/fs/cgroup/unified/box/cpu.max", "100000 100000\n");
  EXPECT_EQ(default_threads(roots()), 1);
}

TEST_F(FakeMachine, NumbersThatAreNoneAreNoLimits) {
  const int cpus = default_threads(roots());
  write("proc/self/cgroup", "garbage\n3:cpu\n0::/box\n");
  write("sys/fs/cgroup/box/cpu.max", "0 0\n");
  write("sys/fs/cgroup/box/memory.max", "0\n");
  EXPECT_EQ(default_threads(roots()), cpus);
  EXPECT_EQ(usable_memory(roots()), 8 * kMiB);
  write("proc/meminfo", "MemTotal:    18446744073709551615 kB\n");
  EXPECT_EQ(usable_memory(roots()), std::nullopt);
  write("proc/meminfo", "MemTotal:    0 kB\n");
  EXPECT_EQ(usable_memory(roots()), std::nullopt);
}

#endif

}  // namespace
}  // namespace enprof
