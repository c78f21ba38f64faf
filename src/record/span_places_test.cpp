#include "record/span_places.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(SpanPlaces, APlaceIsTheNumberOfThoseBefore) {
  SpanPlaces places;
  EXPECT_FALSE(places.find(0));
  for (const std::int32_t index : {0, 2, 3, 7}) {
    places.add(index);
  }
  EXPECT_EQ(places.find(0), 0);
  EXPECT_EQ(places.find(3), 2);
  EXPECT_EQ(places.find(7), 3);
  EXPECT_FALSE(places.find(1));
  EXPECT_FALSE(places.find(8));
  EXPECT_FALSE(places.find(-1));
  EXPECT_EQ(places.count_before(0), 0U);
  EXPECT_EQ(places.count_before(4), 3U);
  EXPECT_EQ(places.count_before(100), 4U);
}

/// With a search in linear time this test would take hours.
TEST(SpanPlaces, ASearchDoesNotVisitAllSpans) {
  constexpr std::int32_t kSpans = 3'000'000;
  SpanPlaces places;
  for (std::int32_t index = 0; index < kSpans; ++index) {
    places.add(2 * index);
  }
  std::int64_t sum = 0;
  for (std::int32_t index = 0; index < kSpans; ++index) {
    sum += *places.find(2 * index) - static_cast<std::int64_t>(places.count_before(2 * index));
  }
  EXPECT_EQ(sum, 0);
}

}  // namespace
}  // namespace enprof
