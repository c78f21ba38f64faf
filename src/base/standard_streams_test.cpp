#include "base/standard_streams.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace enprof {
namespace {

/// Runs in a process of its own. 0 if everything is right, else the number of the failed check.
int without_standard_streams() {
  for (const int descriptor : {0, 1, 2}) {
    ::close(descriptor);
  }
  reserve_standard_streams();
  if (::open("/dev/null", O_RDWR) <= 2) {
    return 1;  // a file got the number of a standard stream
  }
  std::array<char, 1> byte{'x'};
  if (::write(1, byte.data(), 1) != -1 || errno != EBADF) {
    return 2;  // a result is lost without an error
  }
  if (::write(2, byte.data(), 1) != -1 || errno != EBADF) {
    return 3;
  }
  if (::read(0, byte.data(), 1) != -1 || errno != EBADF) {
    return 4;  // the input looks empty
  }
  return 0;
}

TEST(StandardStreamsDeathTest, ClosedOnesAreReservedAndStayUnusable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(_exit(without_standard_streams()), ::testing::ExitedWithCode(0), "");
}

TEST(StandardStreams, OpenOnesAreLeftAlone) {
  const int before = ::fcntl(STDOUT_FILENO, F_GETFL);
  reserve_standard_streams();
  EXPECT_EQ(::fcntl(STDOUT_FILENO, F_GETFL), before);
}

}  // namespace
}  // namespace enprof
