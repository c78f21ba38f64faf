#include "base/cpu_quota.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CpuQuotaTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<CpuQuotaCounters> read() const {
    return read_cpu_quotas(dir_.path() / "proc", dir_.path() / "sys");
  }
  void write_groups(std::string_view text) const { dir_.write("proc/self/cgroup", text); }
  void write_v2(const std::string& group, std::string_view max, std::string_view stat) const {
    dir_.write("sys/fs/cgroup/" + group + "/cpu.max", max);
    dir_.write("sys/fs/cgroup/" + group + "/cpu.stat", stat);
  }

  testing::TempDir dir_;
};

TEST_F(CpuQuotaTest, ReadsTheOwnGroupAndThoseAroundIt) {
  write_groups("0::/a.slice/b.scope\n");
  write_v2("a.slice", "max 100000\n",
           "usage_usec 9\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
  write_v2("a.slice/b.scope", "150000 100000\n",
           "usage_usec 9\nnr_periods 40\nnr_throttled 7\nthrottled_usec 12345\n");
  const auto groups = read();
  ASSERT_THAT(groups, SizeIs(2));
  EXPECT_EQ(groups[0].cpus, std::nullopt);
  EXPECT_EQ(groups[1].cpus, 1.5);
  EXPECT_EQ(groups[1].periods, 40U);
  EXPECT_EQ(groups[1].throttled_periods, 7U);
  EXPECT_EQ(groups[1].withheld, 12345us);
}

TEST_F(CpuQuotaTest, AContainerSeesItsOwnGroupAsTheRoot) {
  write_groups("0::/\n");
  write_v2("", "50000 100000\n", "nr_periods 4\nnr_throttled 3\nthrottled_usec 2\n");
  ASSERT_THAT(read(), SizeIs(1));
  write_groups("0::/docker/f00d\n");  // the path on the host
  ASSERT_THAT(read(), SizeIs(1));
  EXPECT_EQ(read()[0].cpus, 0.5);
  write_groups("0::/../other\n");  // outside this namespace
  EXPECT_THAT(read(), SizeIs(1));
}

TEST_F(CpuQuotaTest, ReadsVersion1WhereThatHasTheCpuController) {
  write_groups("5:memory:/m\n4:cpu,cpuacct:/docker/f00d\n1:name=systemd:/\n0::/\n");
  const std::string group = "sys/fs/cgroup/cpu,cpuacct/docker/f00d/";
  dir_.write(group + "cpu.stat", "nr_periods 10\nnr_throttled 2\nthrottled_time 77\n");
  dir_.write(group + "cpu.cfs_quota_us", "200000\n");
  dir_.write(group + "cpu.cfs_period_us", "100000\n");
  ASSERT_THAT(read(), SizeIs(1));
  EXPECT_EQ(read()[0].cpus, 2.0);
  EXPECT_EQ(read()[0].withheld, 77ns);
  dir_.write(group + "cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(read()[0].cpus, std::nullopt);
}

TEST_F(CpuQuotaTest, WithoutControlGroupsThereIsNone) {
  EXPECT_THAT(read(), IsEmpty());
  write_groups("nonsense\n0::/\n");
  EXPECT_THAT(read(), IsEmpty());
  write_v2("", "max 100000\n", "usage_usec 5\n");  // the root of a whole machine
  EXPECT_THAT(read(), IsEmpty());
}

TEST(CpuThrottling, IsOfTheGroupThatWasHeldBackMost) {
  const std::vector<CpuQuotaCounters> begin{
      {.group = "a", .cpus = 4.0, .periods = 100, .throttled_periods = 50, .withheld = 1s},
      {.group = "a/b", .cpus = 2.0, .periods = 10, .throttled_periods = 1, .withheld = 2s}};
  std::vector<CpuQuotaCounters> end = begin;
  EXPECT_EQ(throttling_between(begin, end)->share, 0.0);
  end[0].periods += 20;
  end[0].throttled_periods += 1;
  end[1].periods += 20;
  end[1].throttled_periods += 15;
  end[1].withheld += 500ms;
  EXPECT_EQ(throttling_between(begin, end),
            (CpuThrottling{.cpus = 2.0, .share = 0.75, .withheld = 500ms}));
}

TEST(CpuThrottling, OfAGroupThatIsNewNothingIsKnown) {
  EXPECT_EQ(throttling_between({}, {{.group = "a", .cpus = {}, .periods = 5}}), std::nullopt);
  EXPECT_EQ(throttling_between({{.group = "a", .cpus = {}, .periods = 9}},
                               {{.group = "a", .cpus = {}, .periods = 5}}),
            std::nullopt)
      << "another one of that name";
}

}  // namespace
}  // namespace enprof
