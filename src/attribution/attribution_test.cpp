#include "attribution/attribution.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace enprof {
namespace {

Instant at(double ms) { return Instant{from_ms(ms)}; }

Span span(double begin_ms, double end_ms, std::int32_t parent, Level level = Level::section) {
  return {.begin = at(begin_ms), .end = at(end_ms), .parent = parent, .level = level};
}

std::vector<EnergyTimeline> constant(double watts, double until_ms, double step_ms = 10.0) {
  std::vector<EnergyWindow> windows;
  for (double t = 0; t < until_ms; t += step_ms) {
    windows.push_back(
        {.begin = at(t), .end = at(t + step_ms), .energy = Watts{watts} * from_ms(step_ms)});
  }
  std::vector<EnergyTimeline> timelines;
  timelines.emplace_back(windows, Nanoseconds{0});
  return timelines;
}

TEST(Attribution, SelfAndChildrenMakeTheParent) {
  const auto timelines = constant(50.0, 200);
  const std::vector spans{span(0, 100, Span::kNone, Level::run), span(0, 40, 0), span(40, 90, 0),
                          span(50, 60, 2, Level::token)};
  const Attribution result = attribute(spans, timelines);

  EXPECT_NEAR(result.share(0, 0).energy.value(), 5.0, 1e-12);
  EXPECT_NEAR(result.share(1, 0).energy.value(), 2.0, 1e-12);
  EXPECT_NEAR(result.share(2, 0).energy.value(), 2.5, 1e-12);
  EXPECT_NEAR(result.self(0, 0).value(), 0.5, 1e-12);
  EXPECT_NEAR(result.self(2, 0).value(), 2.0, 1e-12);
  EXPECT_NEAR(result.self(3, 0).value(), 0.5, 1e-12);
  EXPECT_EQ(result.mended_spans(), 0U);
}

TEST(Attribution, NothingToShareOut) {
  const std::vector spans{span(0, 100, Span::kNone, Level::run)};
  EXPECT_EQ(attribute(spans, {}).timelines(), 0U);
  EXPECT_EQ(attribute({}, constant(1.0, 10)).mended_spans(), 0U);

  std::vector<EnergyTimeline> empty;
  empty.emplace_back(std::span<const EnergyWindow>{}, Nanoseconds{0});
  EXPECT_EQ(attribute(spans, empty).share(0, 0).covered, Nanoseconds{0});
}

TEST(Attribution, ASpanIsCutToItsParentAndItsElderSibling) {
  const auto timelines = constant(50.0, 300);
  const std::vector spans{span(0, 100, Span::kNone, Level::run), span(-20, 60, 0),
                          span(50, 120, 0)};
  const Attribution result = attribute(spans, timelines);

  EXPECT_EQ(result.mended_spans(), 2U);
  EXPECT_NEAR(result.share(1, 0).energy.value(), 3.0, 1e-12);
  EXPECT_NEAR(result.share(2, 0).energy.value(), 2.0, 1e-12);
  EXPECT_NEAR(result.self(0, 0).value(), 0.0, 1e-12);
}

TEST(Attribution, ASpanWithoutEndEndsWithItsParent) {
  const auto timelines = constant(50.0, 300);
  const std::vector<Span> spans{span(0, 100, Span::kNone, Level::run),
                                Span{.begin = at(30), .end = Instant{}, .parent = 0}};
  const Attribution result = attribute(spans, timelines);
  EXPECT_EQ(result.mended_spans(), 1U);
  EXPECT_NEAR(result.share(1, 0).energy.value(), 3.5, 1e-12);
}

/// Any tree and any windows: energy is conserved at each level, and nothing is NaN.
class AttributionProperty : public ::testing::TestWithParam<unsigned> {};

TEST_P(AttributionProperty, EnergyIsConserved) {
  std::mt19937_64 random{GetParam()};
  std::uniform_real_distribution<double> unit{0.0, 1.0};

  std::vector<EnergyWindow> windows;
  double t = -20.0;
  while (t < 1100.0) {
    const double length = 0.05 + 20.0 * unit(random);
    if (unit(random) < 0.8) {
      windows.push_back(
          {.begin = at(t), .end = at(t + length), .energy = Joules{length * unit(random)}});
    }
    t += length * (unit(random) < 0.1 ? 0.5 : 1.0);  // now and then the next one overlaps
  }
  std::vector<EnergyTimeline> timelines;
  timelines.emplace_back(windows, Nanoseconds{1000});
  timelines.emplace_back(std::span(windows).first(windows.size() / 2), Nanoseconds{0});

  // A random tree, written in the order in which its spans open.
  std::vector<Span> spans{span(0, 1000, Span::kNone, Level::run)};
  struct Open {
    std::int32_t index;
    double end;
  };
  std::vector<Open> stack{{0, 1000.0}};
  double now = 0.0;
  while (spans.size() < 3000 && now < 1000.0) {
    now += unit(random) * 0.5;
    while (stack.size() > 1 && now >= stack.back().end) {
      stack.pop_back();
    }
    if (stack.size() > 1 && unit(random) < 0.3) {
      continue;
    }
    const double end = now + (stack.back().end - now) * unit(random);
    if (end <= now || stack.size() > 6) {
      continue;
    }
    spans.push_back(span(now, end, stack.back().index));
    stack.push_back({static_cast<std::int32_t>(spans.size()) - 1, end});
  }
  ASSERT_GT(spans.size(), 200U);

  const Attribution result = attribute(spans, timelines);
  for (std::size_t line = 0; line < timelines.size(); ++line) {
    std::vector<double> children(spans.size(), 0.0);
    for (std::size_t index = spans.size(); index-- > 0;) {
      const double energy = result.share(index, line).energy.value();
      ASSERT_FALSE(std::isnan(energy));
      ASSERT_GE(energy, -1e-12);
      ASSERT_GE(result.share(index, line).variance, 0.0);
      EXPECT_NEAR(children[index] + result.self(index, line).value(), energy,
                  1e-9 * std::max(energy, 1e-3));
      EXPECT_GE(result.self(index, line).value(), -1e-9);
      if (spans[index].parent != Span::kNone) {
        children[static_cast<std::size_t>(spans[index].parent)] += energy;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AttributionProperty, ::testing::Range(1U, 21U));

}  // namespace
}  // namespace enprof
