#include "power/counter/read_trust.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class ReadTrustTest : public ::testing::Test {
 protected:
  void read(std::size_t times, Nanoseconds took = 1us, Nanoseconds pause = 10ms) {
    for (std::size_t time = 0; time < times; ++time) {
      now_ += pause;
      trust_.note(took, now_);
    }
  }
  [[nodiscard]] bool is_earned() const { return trust_.is_earned(now_); }

  Instant now_{1s};
  ReadTrust trust_;
};

TEST_F(ReadTrustTest, IsEarnedByManyQuickReadsOverSomeTime) {
  EXPECT_FALSE(is_earned());
  read(ReadTrust::kFewest - 1);
  EXPECT_FALSE(is_earned());
  read(1);
  EXPECT_TRUE(is_earned());
}

TEST_F(ReadTrustTest, ManyReadsAtOnceAreNotEnough) {
  read(10 * ReadTrust::kFewest, 1us, 1us);
  EXPECT_FALSE(is_earned());
  read(1, 1us, ReadTrust::kWatched);
  EXPECT_TRUE(is_earned());
}

TEST_F(ReadTrustTest, OneReadThatHangsEndsItForLong) {
  read(ReadTrust::kFewest);
  read(1, kHangingRead);
  EXPECT_FALSE(is_earned());
  read(1000);
  EXPECT_FALSE(is_earned());
  read(1, 1us, ReadTrust::kPause);
  EXPECT_TRUE(is_earned());
}

TEST_F(ReadTrustTest, AnInterruptionIsNoHang) {
  read(ReadTrust::kFewest, 5ms);
  EXPECT_TRUE(is_earned());
}

}  // namespace
}  // namespace enprof
