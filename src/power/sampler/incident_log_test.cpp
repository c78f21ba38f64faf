#include "power/sampler/incident_log.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

Error error(std::string message) { return {.code = ErrorCode::io, .message = std::move(message)}; }

TEST(IncidentLog, IsEmptyAtFirst) { EXPECT_FALSE(IncidentLog{}.since(Instant::min())); }

TEST(IncidentLog, TellsHowManyThereWereSinceAnInstant) {
  IncidentLog log;
  for (int index = 0; index < 10; ++index) {
    log.add(kStart + index * 1s, error(std::to_string(index)), 2s);
  }
  const auto all = log.since(Instant::min());
  ASSERT_TRUE(all);
  EXPECT_EQ(all->count, 10U);
  EXPECT_EQ(all->first.message, "0");
  EXPECT_EQ(all->duration, 20s);
  EXPECT_EQ(all->begin, kStart);
  EXPECT_EQ(all->end, kStart + 9s);
  EXPECT_EQ(log.since(kStart + 7s)->count, 3U);
  EXPECT_EQ(log.since(kStart + 7s)->first.message, "7");
  EXPECT_FALSE(log.since(kStart + 10s));
}

TEST(IncidentLog, StaysSmallCountsAllAndIsExactOfLate) {
  IncidentLog log;
  constexpr int kMany = 100'000;
  for (int index = 0; index < kMany; ++index) {
    log.add(kStart + index * 10ms, error("no"));
  }
  EXPECT_EQ(log.since(Instant::min())->count, static_cast<std::size_t>(kMany));
  EXPECT_EQ(log.since(kStart + (kMany - 20) * 10ms)->count, 20U);
  // Further back the count may be a little too high, never too low.
  const auto half = log.since(kStart + kMany / 2 * 10ms)->count;
  EXPECT_GE(half, static_cast<std::size_t>(kMany / 2));
}

}  // namespace
}  // namespace enprof
