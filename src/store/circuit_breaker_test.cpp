#include "store/circuit_breaker.hpp"

#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace enprof {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void fail_times(int times) {
    for (int index = 0; index < times; ++index) {
      breaker_.failed(error_);
    }
  }

  const Error error_{ErrorCode::too_large, "the disk is full", "Free some space."};
  testing::ManualClock clock_;
  CircuitBreaker breaker_{"The database a.db", clock_};
};

TEST_F(CircuitBreakerTest, FourFailuresAreBorneAndTheFifthOpensIt) {
  fail_times(4);
  EXPECT_TRUE(breaker_.allow());
  EXPECT_EQ(breaker_.health().state, BreakerState::closed);
  EXPECT_EQ(breaker_.health().failures_in_a_row, 4U);
  fail_times(1);
  EXPECT_EQ(breaker_.health().state, BreakerState::open);
  const auto refused = breaker_.allow();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_EQ(refused.error().message,
            "The database a.db failed 5 times in a row and is not tried for another 1.0 s. Last "
            "failure: the disk is full");
  EXPECT_EQ(refused.error().hint, "Free some space.");
}

TEST_F(CircuitBreakerTest, OnlyFailuresInARowCount) {
  fail_times(4);
  breaker_.succeeded();
  fail_times(4);
  EXPECT_TRUE(breaker_.allow());
}

TEST_F(CircuitBreakerTest, AfterThePauseOneProbeDecides) {
  fail_times(5);
  clock_.advance(milliseconds{999});
  EXPECT_FALSE(breaker_.allow());
  clock_.advance(milliseconds{1});
  EXPECT_EQ(breaker_.health().state, BreakerState::half_open);
  EXPECT_TRUE(breaker_.allow());
  breaker_.succeeded();
  EXPECT_EQ(breaker_.health().state, BreakerState::closed);
  EXPECT_FALSE(breaker_.health().last_error);
}

TEST_F(CircuitBreakerTest, ThePauseDoublesUpToAMinuteAndIsResetBySuccess) {
  fail_times(5);
  for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(breaker_.health().retry_in, seconds{pause});
    clock_.advance(seconds{pause});
    EXPECT_TRUE(breaker_.allow());
    breaker_.failed(error_);
  }
  clock_.advance(seconds{60});
  breaker_.succeeded();
  fail_times(5);
  EXPECT_EQ(breaker_.health().retry_in, seconds{1});
}

}  // namespace
}  // namespace enprof
