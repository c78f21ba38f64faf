#include "power/sampler/reading_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

SensorReading reading(std::uint16_t domain, SensorQuantity quantity, Nanoseconds at, double value) {
  return {.domain = domain, .quantity = quantity, .at = kStart + at, .value = value};
}

TEST(ReadingStore, GivesOutWhatFallsIntoATimeByTime) {
  ReadingStore store(2);
  EXPECT_TRUE(store.add(reading(1, SensorQuantity::clock_hz, 20ms, 1e9)));
  EXPECT_TRUE(store.add(reading(0, SensorQuantity::temperature_celsius, 10ms, 40)));
  EXPECT_TRUE(store.add(reading(0, SensorQuantity::temperature_celsius, 30ms, 41)));
  const auto some = store.between(kStart + 10ms, kStart + 20ms);
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some[0].domain, 0);
  EXPECT_EQ(some[1].domain, 1);
  store.forget_before(kStart + 20ms);
  EXPECT_EQ(store.size(), 2U);
}

TEST(ReadingStore, RefusesWhatIsNoReading) {
  ReadingStore store(1);
  EXPECT_FALSE(store.add(reading(1, SensorQuantity::clock_hz, 0ms, 1)));
  EXPECT_FALSE(store.add(
      reading(0, SensorQuantity::clock_hz, 0ms, std::numeric_limits<double>::quiet_NaN())));
  EXPECT_FALSE(store.add(reading(0, static_cast<SensorQuantity>(200), 0ms, 1)));
  EXPECT_EQ(store.size(), 0U);
}

TEST(ReadingStore, StaysBoundedAndKeepsExtremes) {
  constexpr std::size_t kCapacity = 100;
  ReadingStore store(1, kCapacity);
  for (int index = 0; index < 10'000; ++index) {
    EXPECT_TRUE(store.add(
        reading(0, SensorQuantity::temperature_celsius, index * 1s, index == 1'234 ? 95.0 : 40.0)));
    EXPECT_TRUE(store.add(reading(0, SensorQuantity::utilization_ratio, index * 1s, 0.5)));
    ASSERT_LE(store.size(), kCapacity);
  }
  const auto all = store.between(kStart, kStart + 10'000s);
  EXPECT_EQ(std::ranges::max(all, {}, &SensorReading::value).at, kStart + 1'234s);
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &SensorReading::at));
  EXPECT_GE(all.size(), kCapacity / 2 - 1);
  EXPECT_GE(all.back().at, kStart + 9'999s);
}

}  // namespace
}  // namespace enprof
