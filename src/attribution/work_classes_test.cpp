#include "attribution/work_classes.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace enprof {
namespace {

/// A run of consecutive spans with given lengths in microseconds.
struct Row {
  std::vector<Span> spans{{.begin = Instant{}, .end = Instant{}, .level = Level::run}};
  std::vector<std::uint32_t> classes{kNoClass};

  void add(std::uint32_t work, double us, Phase phase = Phase::decode, std::uint16_t name = 0) {
    const Instant begin = spans.front().end;
    const Instant end = begin + from_ms(us / 1e3);
    spans.front().end = end;
    spans.push_back({.begin = begin,
                     .end = end,
                     .parent = 0,
                     .name = name,
                     .level = Level::operation,
                     .phase = phase});
    classes.push_back(work);
  }
  /// By span: the kind of its only tile.
  std::vector<std::uint32_t> assigned(std::size_t* count = nullptr) const {
    SpanTiling tiling = tile(spans);
    const std::size_t kinds = assign_work(spans, classes, tiling);
    if (count != nullptr) {
      *count = kinds;
    }
    std::vector<std::uint32_t> works;
    for (const SpanTiling::Range& range : tiling.ranges) {
      works.push_back(tiling.tiles[range.begin].work);
      EXPECT_LT(works.back(), kinds);
    }
    return works;
  }
};

TEST(WorkClasses, AreTheCallersWhereItKnows) {
  Row row;
  row.add(7, 10);
  row.add(3, 10);
  row.add(7, 10);
  std::size_t count = 0;
  const auto works = row.assigned(&count);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(works[1], works[3]);
  EXPECT_NE(works[1], works[2]);
}

TEST(WorkClasses, AreByPhaseLevelAndNameWhereItDoesNot) {
  Row row;
  row.add(kNoClass, 10, Phase::prefill, 1);
  row.add(kNoClass, 10, Phase::decode, 1);
  row.add(kNoClass, 10, Phase::decode, 2);
  row.add(kNoClass, 10, Phase::decode, 1);
  row.add(0, 10, Phase::decode, 1);
  std::size_t count = 0;
  const auto works = row.assigned(&count);
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(works[2], works[4]);

  row.classes.clear();  // no classes given
  EXPECT_EQ(row.assigned()[5], row.assigned()[2]);
}

TEST(WorkClasses, WorkThatTakesHalfAsLongAgainIsOtherWork) {
  Row row;
  for (int count = 0; count < 50; ++count) {
    row.add(0, 10);
    row.add(0, 20);
  }
  std::size_t count = 0;
  const auto works = row.assigned(&count);
  EXPECT_EQ(count, 2U);
  EXPECT_NE(works[1], works[2]);
  EXPECT_EQ(works[1], works[3]);
}

TEST(WorkClasses, JitterIsNotOtherWork) {
  Row row;
  for (int count = 0; count < 100; ++count) {
    row.add(0, 10 + 0.01 * count);
  }
  std::size_t count = 0;
  static_cast<void>(row.assigned(&count));
  EXPECT_EQ(count, 1U);
}

TEST(WorkClasses, WhatWasHeldUpIsAKindOfItsOwn) {
  Row row;
  for (int count = 0; count < 200; ++count) {
    row.add(0, count == 90 ? 80 : 10);
    row.add(1, count == 120 ? 500 : 30);
  }
  std::size_t count = 0;
  const auto works = row.assigned(&count);
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(works[1 + 2 * 90], works[2 + 2 * 120]);
  EXPECT_NE(works[1 + 2 * 90], works[1]);
}

TEST(WorkClasses, TooManyAreTakenTogetherTheShortestFirst) {
  Row row;
  for (std::uint32_t work = 0; work < 1000; ++work) {
    row.add(work, work < 100 ? 100 : 10, work % 2 == 0 ? Phase::prefill : Phase::decode);
  }
  std::size_t count = 0;
  const auto works = row.assigned(&count);
  EXPECT_EQ(count, kMostClasses);
  EXPECT_EQ(std::set(works.begin() + 1, works.begin() + 101).size(), 100U);  // the long ones remain
  EXPECT_EQ(works[801], works[901]);
  EXPECT_NE(works[801], works[902]);  // another phase
}

TEST(WorkClasses, KnowTheClassThatTheirPiecesWereGiven) {
  Row row;
  for (int count = 0; count < 100; ++count) {
    row.add(7, count % 2 == 0 ? 10 : 40);  // two lengths are two kinds of work of one class
    row.add(3, 10);
  }
  row.add(7, 4000);  // an interruption, and
  row.add(3, 4000);  // another one: one kind of work of two classes
  row.add(kNoClass, 10);
  SpanTiling tiling = tile(row.spans);
  const std::size_t count = assign_work(row.spans, row.classes, tiling);
  const auto class_of = classes_of_work(row.spans, row.classes, tiling, count);
  ASSERT_EQ(class_of.size(), count);
  for (std::size_t span = 1; span < row.spans.size(); ++span) {
    const std::uint32_t given = class_of[tiling.tiles[tiling.ranges[span].begin].work];
    const bool is_usual = row.spans[span].duration() < from_ms(1.0);
    EXPECT_EQ(given, is_usual ? row.classes[span] : kNoClass) << span;
  }
}

}  // namespace
}  // namespace enprof
