#include "base/file_limit.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

namespace enprof {
namespace {

TEST(FileLimit, TheRemedyIsOneThatWorksHere) {
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  if (old.rlim_cur != RLIM_INFINITY || old.rlim_max != RLIM_INFINITY) {
    GTEST_SKIP() << "there is a limit on the size of files here";
  }
  EXPECT_EQ(file_limit(), std::nullopt);
  EXPECT_EQ(file_limit_hint().find("ulimit"), std::string::npos) << "the limit is not the cause";
  rlimit limit = old;
  limit.rlim_cur = 64U << 10U;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto limited = file_limit();
  const std::string hint = file_limit_hint();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(limited, 64U << 10U);
  EXPECT_NE(hint.find("64.0 KiB"), std::string::npos) << hint;
  EXPECT_NE(hint.find("ulimit -S -f unlimited"), std::string::npos) << hint;
}

}  // namespace
}  // namespace enprof
