#include "report/sum_rounder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace enprof {
namespace {

TEST(SumRounder, RoundedNumbersAddUpToTheRoundedSum) {
  SumRounder rounder;
  std::int64_t sum = 0;
  for (int part = 0; part < 1000; ++part) {
    const std::int64_t rounded = rounder.round(0.3);
    EXPECT_TRUE(rounded == 0 || rounded == 1);
    sum += rounded;
  }
  EXPECT_EQ(sum, 300);
  EXPECT_EQ(rounder.round(1.6), 2);
}

TEST(SumRounder, NoNumberIsTooLarge) {
  SumRounder rounder;
  EXPECT_GT(rounder.round(1e300), 8'000'000'000'000'000'000);
  EXPECT_EQ(rounder.round(1e300), 0);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(capped_sum(kMost - 1, 1), kMost);
  EXPECT_EQ(capped_sum(kMost, kMost), kMost);
  EXPECT_EQ(capped_sum(2, 3), 5);
}

}  // namespace
}  // namespace enprof
