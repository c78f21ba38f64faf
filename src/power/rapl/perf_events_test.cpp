#include "power/rapl/perf_events.hpp"

#include "support/fake_sysfs.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::HasSubstr;

// PERF_TYPE_SOFTWARE and its clock of a CPU: every kernel with perf events has them, so that the
// real system call is made.
constexpr std::uint32_t kSoftware = 1;
constexpr std::uint64_t kCpuClock = 0;

TEST(SystemPerfEvents, CountsWhereItMay) {
  const SystemPerfEvents perf;
  const auto opened =
      perf.open({.type = kSoftware, .config = kCpuClock, .cpu = 0, .name = "cpu-clock"});
  if (!opened) {
    // Neither the right nor, in a sandbox, the call itself is certain.
    EXPECT_FALSE(opened.error().message.empty());
    GTEST_SKIP() << opened.error().message;
  }
  const auto first = (*opened)->read();
  ASSERT_TRUE(first) << first.error().message;
  const auto second = (*opened)->read();
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
  const auto point = (*opened)->point();
  ASSERT_NE(point, nullptr);
  EXPECT_GT(point->read(), *second);
}

TEST(SystemPerfEvents, AnEventThatIsNotThereIsUnavailable) {
  const SystemPerfEvents perf;
  const auto opened =
      perf.open({.type = 4'000'000, .config = 2, .cpu = 0, .name = "power/energy/"});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().code, ErrorCode::internal);
  EXPECT_THAT(opened.error().message, HasSubstr("power/energy/ on CPU 0"));
  EXPECT_THAT(opened.error().message, HasSubstr("errno"));
}

TEST(SystemPerfEvents, WithoutTheRightItSaysWhatGrantsIt) {
  const testing::TempDir procfs;
  std::filesystem::permissions(procfs.path(), std::filesystem::perms(0755));
  procfs.write("sys/kernel/perf_event_paranoid", "3\n");
  const SystemPerfEvents perf(procfs.path());
  const testing::Unprivileged user;
  const auto opened =
      perf.open({.type = kSoftware, .config = kCpuClock, .cpu = 0, .name = "cpu-clock"});
  if (opened || opened.error().code != ErrorCode::permission_denied) {
    GTEST_SKIP() << "this kernel lets all users count, or no user";
  }
  EXPECT_THAT(opened.error().message, HasSubstr("perf_event_paranoid is 3"));
  EXPECT_THAT(opened.error().hint, HasSubstr("sudo sysctl kernel.perf_event_paranoid=0"));
  EXPECT_THAT(opened.error().hint, HasSubstr("cap_perfmon"));
}

}  // namespace
}  // namespace enprof
