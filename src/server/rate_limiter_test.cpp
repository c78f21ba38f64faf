#include "server/rate_limiter.hpp"

#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class RateLimiterTest : public ::testing::Test {
 protected:
  testing::ManualClock clock_;
  RateLimiter limiter_{10.0, 3.0, clock_};
};

TEST_F(RateLimiterTest, ABurstPassesAndThenTheRateHolds) {
  for (int request = 0; request < 3; ++request) {
    EXPECT_FALSE(limiter_.admit("a"));
  }
  EXPECT_EQ(limiter_.admit("a"), 100ms);
  clock_.advance(50ms);
  EXPECT_EQ(limiter_.admit("a"), 50ms);  // a refused request costs nothing
  clock_.advance(50ms);
  EXPECT_FALSE(limiter_.admit("a"));
  EXPECT_TRUE(limiter_.admit("a"));
  clock_.advance(1h);
  for (int request = 0; request < 3; ++request) {
    EXPECT_FALSE(limiter_.admit("a"));
  }
  EXPECT_TRUE(limiter_.admit("a"));  // at most one burst is saved up
}

TEST_F(RateLimiterTest, ClientsDoNotPayForEachOther) {
  while (!limiter_.admit("a")) {
  }
  EXPECT_FALSE(limiter_.admit("b"));
}

TEST_F(RateLimiterTest, MemoryIsBoundedHoweverManyClientsThereAre) {
  for (std::size_t client = 0; client < 2 * RateLimiter::kMostClients; ++client) {
    static_cast<void>(limiter_.admit(std::to_string(client)));
    EXPECT_LE(limiter_.clients(), RateLimiter::kMostClients + 1);
  }
  EXPECT_TRUE(limiter_.admit("one more"));  // the strangers' bucket is empty
  clock_.advance(1h);
  EXPECT_FALSE(limiter_.admit("one more"));
  EXPECT_LE(limiter_.clients(), 2U);  // the other clients' buckets have been full for a long time
}

}  // namespace
}  // namespace enprof
