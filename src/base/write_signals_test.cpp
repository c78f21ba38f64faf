#include "base/write_signals.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigismember is POSIX, not C++

namespace enprof {
namespace {

TEST(WriteSignals, OnlyThoseThatWeIgnoreAreGivenBack) {
  auto* const pipe_before = std::signal(SIGPIPE, SIG_DFL);
  auto* const size_before = std::signal(SIGXFSZ, SIG_IGN);
  ignore_write_signals();
  const sigset_t given_back = signals_ignored_by_us();
  EXPECT_EQ(sigismember(&given_back, SIGPIPE), 1);
  EXPECT_EQ(sigismember(&given_back, SIGXFSZ), 0) << "whoever started us ignores it";
  EXPECT_EQ(std::signal(SIGPIPE, pipe_before), SIG_IGN);
  EXPECT_EQ(std::signal(SIGXFSZ, size_before), SIG_IGN);
}

}  // namespace
}  // namespace enprof
