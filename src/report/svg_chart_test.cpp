#include "report/svg_chart.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(SvgChart, DrawsPointsWithTheirIntervals) {
  const std::string svg =
      svg_chart({.title = "t",
                 .x = {.title = "speed"},
                 .y = {.title = "energy", .unit = "J"},
                 .series = {{.name = "a",
                             .points = {{.x = 1, .y = 2e-3, .y_half = 1e-4, .label = "p<1>"},
                                        {.x = 2, .y = 4e-3}}}}});
  EXPECT_EQ(count(svg, "<circle"), 2U);
  EXPECT_THAT(svg, HasSubstr("p&lt;1&gt;"));
  EXPECT_THAT(svg, HasSubstr("mJ"));
  EXPECT_THAT(svg, HasSubstr("energy"));
}

TEST(SvgChart, LeavesOutWhatCannotBeDrawn) {
  const std::string svg = svg_chart({.title = "t",
                                     .x = {.is_logarithmic = true},
                                     .y = {.is_logarithmic = true},
                                     .series = {{.name = "a",
                                                 .points = {{.x = 1, .y = 2},
                                                            {.x = 0, .y = 2},
                                                            {.x = 10, .y = -1},
                                                            {.x = std::nan(""), .y = 1},
                                                            {.x = 100, .y = 3}}}}});
  EXPECT_EQ(count(svg, "<circle"), 2U);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_EQ(svg_chart({.title = "nothing"}), "");
}

TEST(SvgChart, OnePointIsInTheMiddle) {
  const std::string svg =
      svg_chart({.title = "t", .series = {{.name = "a", .points = {{.x = 5, .y = 7}}}}});
  EXPECT_EQ(count(svg, "<circle"), 1U);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgChart, StacksBars) {
  const std::string svg = svg_chart({.title = "t",
                                     .y = {.unit = "J"},
                                     .categories = {"a", "b"},
                                     .series = {{.name = "attention",
                                                 .kind = SeriesKind::bars,
                                                 .points = {{.x = 0, .y = 1}, {.x = 1, .y = 2}}},
                                                {.name = "MLP",
                                                 .kind = SeriesKind::bars,
                                                 .points = {{.x = 0, .y = 3}, {.x = 1, .y = 0}}}}});
  EXPECT_EQ(count(svg, "stroke-width=\"0.8\""), 3U);  // a bar of zero is none
  EXPECT_THAT(svg, HasSubstr(">MLP<"));
}

TEST(SvgChart, ACurveHasABand) {
  const std::string svg = svg_chart(
      {.title = "t",
       .series = {{.name = "p", .points = {{.x = 1, .y = 1}, {.x = 2, .y = 2}}},
                  {.name = "line",
                   .kind = SeriesKind::line,
                   .points = {{.x = 1, .y = 1, .y_half = 0.1}, {.x = 2, .y = 2, .y_half = 0.2}}}}});
  EXPECT_EQ(count(svg, "<polygon"), 1U);
  EXPECT_EQ(count(svg, "<polyline"), 1U);
}

}  // namespace
}  // namespace enprof
