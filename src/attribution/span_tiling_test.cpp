#include "attribution/span_tiling.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Instant at(double ms) { return Instant{from_ms(ms)}; }
Span span(double begin_ms, double end_ms, std::int32_t parent) {
  return {.begin = at(begin_ms), .end = at(end_ms), .parent = parent};
}

/// The time of each span's own tiles.
std::vector<double> own_ms(const SpanTiling& tiling) {
  std::vector<double> times(tiling.ranges.size());
  for (std::size_t index = 0; index + 1 < tiling.tiles.size(); ++index) {
    if (tiling.tiles[index].span != SpanTiling::kNoSpan) {
      times[tiling.tiles[index].span] +=
          to_ms(tiling.tiles[index + 1].begin - tiling.tiles[index].begin);
    }
  }
  return times;
}

TEST(SpanTiling, TimeBelongsToTheInnermostSpan) {
  const std::vector spans{span(0, 100, Span::kNone), span(10, 40, 0), span(20, 30, 1),
                          span(40, 60, 0)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{50, 20, 10, 20}));
  EXPECT_EQ(tiling.mended, 0U);
  EXPECT_TRUE(tiling.order.empty());
  // run, child, grandchild, child, child, run, and the end.
  ASSERT_EQ(tiling.tiles.size(), 7U);
  EXPECT_EQ(tiling.tiles.back().begin, at(100));
  EXPECT_EQ(tiling.ranges[0].begin, 0U);
  EXPECT_EQ(tiling.ranges[0].end, 6U);
  EXPECT_EQ(tiling.ranges[1].begin, 1U);
  EXPECT_EQ(tiling.ranges[1].end, 4U);
}

TEST(SpanTiling, ATreeInAnotherOrderIsTheSameTree) {
  // Level by level, and the second child before the first.
  const std::vector spans{span(0, 100, Span::kNone), span(40, 60, 0), span(10, 40, 0),
                          span(20, 30, 2), span(45, 50, 1)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{50, 15, 20, 10, 5}));
  EXPECT_EQ(tiling.mended, 0U);
  EXPECT_EQ(tiling.order, (std::vector<std::uint32_t>{0, 2, 3, 1, 4}));
  for (std::size_t position = 1; position < spans.size(); ++position) {
    EXPECT_LE(tiling.ranges[tiling.span_at(position - 1)].begin,
              tiling.ranges[tiling.span_at(position)].begin);
  }
}

TEST(SpanTiling, CrossingSpansAreCutSoThatNoTimeIsHadTwice) {
  const std::vector spans{span(0, 100, Span::kNone), span(-20, 60, 0), span(50, 120, 0)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{0, 60, 40}));
  EXPECT_EQ(tiling.mended, 2U);
}

TEST(SpanTiling, ASpanThatWasNeverClosedEndsWithItsParent) {
  const std::vector spans{span(0, 100, Span::kNone), span(30, 0, 0), span(40, 50, 1)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{30, 60, 10}));
  EXPECT_EQ(tiling.mended, 1U);
}

TEST(SpanTiling, ARunThatWasNeverClosedTakesNoTime) {
  EXPECT_EQ(own_ms(tile(std::vector{span(30, 0, Span::kNone)})), (std::vector<double>{0}));
}

TEST(SpanTiling, SpansWithoutLengthHaveNoTiles) {
  const std::vector spans{span(0, 10, Span::kNone), span(5, 5, 0), span(5, 5, 1), span(5, 7, 0)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{8, 0, 0, 2}));
  EXPECT_EQ(tiling.ranges[1].begin, tiling.ranges[1].end);
  EXPECT_EQ(tiling.mended, 0U);
}

TEST(SpanTiling, RunsFollowEachOther) {
  const std::vector spans{span(0, 10, Span::kNone), span(20, 30, Span::kNone),
                          span(25, 40, Span::kNone)};
  const SpanTiling tiling = tile(spans);
  EXPECT_EQ(own_ms(tiling), (std::vector<double>{10, 10, 10}));
  EXPECT_EQ(tiling.tiles[1].span, SpanTiling::kNoSpan);
  EXPECT_EQ(tiling.mended, 1U);
}

TEST(SpanTiling, AParentThatComesLaterOrIsNotThereIsNone) {
  const std::vector spans{span(0, 10, 1), span(10, 20, 1), span(20, 30, 99), span(30, 40, -7)};
  EXPECT_EQ(own_ms(tile(spans)), (std::vector<double>{10, 10, 10, 10}));
}

TEST(SpanTiling, AClockThatStepsBackTakesNoTimeFromOthers) {
  // The second token begins before the first one ended, and the third before the run.
  const std::vector spans{span(0, 100, Span::kNone), span(10, 40, 0), span(20, 30, 0),
                          span(-50, -40, 0)};
  const SpanTiling tiling = tile(spans);
  const std::vector<double> own = own_ms(tiling);
  EXPECT_EQ(own[0] + own[1] + own[2] + own[3], 100.0);
  EXPECT_GE(tiling.mended, 2U);
}

TEST(SpanTiling, InstantsAtTheEndsOfTheClockDoNotOverflow) {
  const std::vector spans{Span{.begin = Instant::min(), .end = Instant::max()},
                          Span{.begin = Instant::max(), .end = Instant::min(), .parent = 0}};
  const SpanTiling tiling = tile(spans);
  EXPECT_GT(tiling.tiles.back().begin - tiling.tiles.front().begin, 24h * 365 * 100);
}

TEST(SpanTiling, NothingIsATilingToo) {
  EXPECT_EQ(tile({}).tiles.size(), 1U);
  EXPECT_TRUE(tile({}).ranges.empty());
}

}  // namespace
}  // namespace enprof
