#include "cli/live_line.hpp"

#include "report/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LiveFigures some_figures() {
  return {.phase = Phase::decode,
          .tokens = 12,
          .most_tokens = 128,
          .elapsed = std::chrono::milliseconds{3240},
          .tokens_per_second = 45.25,
          .power = Watts{50.0},
          .energy = Joules{162.0},
          .energy_per_token = Joules{1.1}};
}

TEST(LiveLine, SaysOfHowManyTokensTheTimeAndTheEnergySoFar) {
  EXPECT_EQ(live_line(some_figures(), 100),
            "decode · 12/128 tokens · 3.2 s · 45.2 tokens/s · 162.0 J · 1.100 J/token · 50.00 W");
}

TEST(LiveLine, KeepsTheEnergyWhereItIsCut) {
  for (std::size_t columns = 20; columns < 100; ++columns) {
    const std::string line = live_line(some_figures(), columns);
    EXPECT_LE(display_width(line), columns) << line;
    EXPECT_THAT(line, HasSubstr("162.0 J")) << columns;
    if (columns >= 25) {
      EXPECT_THAT(line, HasSubstr("12/128 tokens")) << columns;
    }
  }
}

TEST(LiveLine, EstimatesAreMarkedWhereThereAreAny) {
  LiveFigures figures = some_figures();
  figures.is_estimated = true;
  EXPECT_EQ(
      live_line(figures, 110),
      "decode · 12/128 tokens · 3.2 s · 45.2 tokens/s · ~162.0 J · ~1.100 J/token · ~50.00 W");
  figures.energy.reset();
  figures.energy_per_token.reset();
  figures.power.reset();
  EXPECT_EQ(live_line(figures, 110), "decode · 12/128 tokens · 3.2 s · 45.2 tokens/s · – · –");
}

TEST(LiveLine, WithoutASensorTheEnergyIsAbsentAndNoZero) {
  LiveFigures figures = some_figures();
  figures.energy.reset();
  figures.energy_per_token.reset();
  figures.power.reset();
  figures.most_tokens = 0;
  EXPECT_EQ(live_line(figures, 100), "decode · 12 tokens · 3.2 s · 45.2 tokens/s · – · –");
  EXPECT_THAT(live_line(figures, 100), Not(HasSubstr("0 J")));
}

}  // namespace
}  // namespace enprof
