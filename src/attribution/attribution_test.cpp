#include "attribution/attribution.hpp"

#include "attribution/span_tiling.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/sensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <span>
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

// ---- classes of work ----------------------------------------------------------------------------

/// A run of alternating work: 4 ms of class 0 at 80 W, then 2 ms of class 1 at 20 W, seen in
/// windows of 5 ms, whose edges fall everywhere in that pattern.
struct Alternating {
  std::vector<Span> spans{span(0, 1200, Span::kNone, Level::run)};
  std::vector<std::uint32_t> classes{kNoClass};
  std::vector<EnergyTimeline> timelines;

  Alternating() {
    for (int cycle = 0; cycle < 200; ++cycle) {
      spans.push_back(span(6.0 * cycle, 6.0 * cycle + 4, 0, Level::operation));
      spans.push_back(span(6.0 * cycle + 4, 6.0 * cycle + 6, 0, Level::operation));
      classes.insert(classes.end(), {0, 1});
    }
    std::vector<EnergyWindow> windows;
    for (double t = 0; t < 1200; t += 5) {
      windows.push_back({.begin = at(t), .end = at(t + 5), .energy = truth(t, t + 5)});
    }
    timelines.emplace_back(windows, Nanoseconds{0});
  }

  [[nodiscard]] static Joules until(double ms) {
    const double cycles = std::floor(ms / 6);
    const double rest = ms - 6 * cycles;
    return Joules{cycles * 0.36 + std::min(rest, 4.0) * 0.08 + std::max(0.0, rest - 4) * 0.02};
  }
  [[nodiscard]] static Joules truth(double from, double to) { return until(to) - until(from); }
};

TEST(Attribution, AWindowIsSharedByPowerNotByTimeAlone) {
  const Alternating run;
  const Attribution result = attribute(run.spans, run.timelines, {.classes = run.classes});
  const Attribution by_time =
      attribute(run.spans, run.timelines, {.classes = run.classes, .by_time_alone = true});
  double error = 0.0;
  double error_by_time = 0.0;
  for (std::size_t index = 1; index < run.spans.size(); ++index) {
    const double truth = index % 2 == 1 ? 0.32 : 0.04;
    error += std::abs(result.share(index, 0).energy.value() - truth);
    error_by_time += std::abs(by_time.share(index, 0).energy.value() - truth);
  }
  EXPECT_LT(error, error_by_time / 20);
  EXPECT_FALSE(by_time.class_powers(0).has_covariance());
}

TEST(Attribution, AGroupIsTheSumOfItsSpansWithAnErrorOfItsOwn) {
  const Alternating run;
  const std::vector<SpanGroups> groupings{{.of_span = run.classes, .count = 3}};
  const Attribution result =
      attribute(run.spans, run.timelines, {.classes = run.classes, .groupings = groupings});
  for (const std::size_t group : {0U, 1U}) {
    EnergyShare sum;
    for (std::size_t index = 1 + group; index < run.spans.size(); index += 2) {
      sum += result.share(index, 0);
    }
    const EnergyShare& found = result.group(0, group)[0];
    EXPECT_NEAR(found.energy.value(), sum.energy.value(), 1e-9 * sum.energy.value());
    EXPECT_EQ(found.covered, sum.covered);
    EXPECT_NEAR(found.windows, sum.windows, 1e-6);
    const double truth = group == 0 ? 64.0 : 8.0;
    EXPECT_NEAR(found.energy.value(), truth, 3 * std::sqrt(found.variance));
    EXPECT_LT(std::sqrt(found.variance), 0.02 * truth);
  }
  EXPECT_EQ(result.group(0, 2)[0].covered, Nanoseconds{0});  // nobody is in it
}

TEST(Attribution, WhatWindowsCannotTellApartKeepsAWideError) {
  // Each window holds the same mix: half of each class, of 30 and 70 W.
  std::vector<Span> spans{span(0, 1000, Span::kNone, Level::run)};
  std::vector<std::uint32_t> classes{kNoClass};
  for (int half_ms = 0; half_ms < 2000; ++half_ms) {
    spans.push_back(span(half_ms / 2.0, (half_ms + 1) / 2.0, 0, Level::operation));
    classes.push_back(static_cast<std::uint32_t>(half_ms % 2));
  }
  const std::vector<SpanGroups> groupings{{.of_span = classes, .count = 2}};
  const Attribution result =
      attribute(spans, constant(50.0, 1000), {.classes = classes, .groupings = groupings});
  for (const std::size_t group : {0U, 1U}) {
    const EnergyShare& share = result.group(0, group)[0];
    EXPECT_NEAR(share.energy.value(), 25.0, 0.1);
    EXPECT_GT(std::sqrt(share.variance), 4.0);  // 15 and 35 J are within two and a half
    EXPECT_LT(std::sqrt(share.variance), 10.0);
  }
  EXPECT_NEAR(result.share(0, 0).variance, 0.0, 1e-9);  // both together are what was measured
}

TEST(Attribution, BeforeAndAfterTheRunTheMachineIdles) {
  // One window, 10 W idle around 5 ms at 70 W.
  const std::vector spans{span(2, 7, Span::kNone, Level::run)};
  const std::vector<EnergyWindow> windows{{.begin = at(0), .end = at(10), .energy = Joules{0.4}}};
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(windows, Nanoseconds{0})};
  const std::vector<std::optional<Watts>> idle{Watts{10}};
  EXPECT_NEAR(attribute(spans, timelines).share(0, 0).energy.value(), 0.2, 1e-12);
  const Attribution result = attribute(spans, timelines, {.idle_power = idle});
  EXPECT_NEAR(result.share(0, 0).energy.value(), 0.35, 0.01);
}

TEST(Attribution, LessIdlePowerThanNoneIsNone) {
  const std::vector spans{span(2, 7, Span::kNone, Level::run)};
  const std::vector<std::optional<Watts>> idle{Watts{-10}};
  const Attribution result = attribute(spans, constant(50, 20), {.idle_power = idle});
  EXPECT_GE(result.share(0, 0).energy.value(), 0.0);
  EXPECT_LE(result.share(0, 0).energy.value(), 0.5);
}

TEST(Attribution, ScalesWithItsInput) {
  const Alternating run;
  std::vector<EnergyWindow> windows;
  std::vector<EnergyWindow> tripled;
  for (std::size_t index = 0; index < run.timelines[0].segment_count(); ++index) {
    const EnergyTimeline::Segment segment = run.timelines[0].segment(index);
    windows.push_back({.begin = segment.begin, .end = segment.end, .energy = segment.energy});
    tripled.push_back({.begin = segment.begin, .end = segment.end, .energy = 3 * segment.energy});
  }
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(windows, Nanoseconds{0}),
                                              EnergyTimeline(tripled, Nanoseconds{0})};
  const Attribution result = attribute(run.spans, timelines, {.classes = run.classes});
  for (std::size_t index = 0; index < run.spans.size(); ++index) {
    EXPECT_NEAR(result.share(index, 1).energy.value(), 3 * result.share(index, 0).energy.value(),
                1e-9);
    EXPECT_NEAR(result.share(index, 1).variance, 9 * result.share(index, 0).variance, 1e-9);
  }
}

TEST(Attribution, ByTimeAloneItIsLinearInTheWindows) {
  std::mt19937_64 random{5};
  std::uniform_real_distribution<double> unit{0.0, 1.0};
  const auto some = [&] {
    std::vector<EnergyWindow> windows;
    for (int count = 0; count < 50; ++count) {
      const double begin = 100 * unit(random);
      windows.push_back({.begin = at(begin),
                         .end = at(begin + 20 * unit(random)),
                         .energy = Joules{unit(random)}});
    }
    return windows;
  };
  const std::vector<EnergyWindow> a = some();
  const std::vector<EnergyWindow> b = some();
  std::vector<EnergyWindow> both = a;
  both.insert(both.end(), b.begin(), b.end());
  const std::vector spans{span(0, 100, Span::kNone, Level::run), span(10, 37, 0), span(12, 20, 1),
                          span(60, 99, 0)};
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(a, Nanoseconds{0}),
                                              EnergyTimeline(b, Nanoseconds{0}),
                                              EnergyTimeline(both, Nanoseconds{0})};
  const Attribution result = attribute(spans, timelines, {.by_time_alone = true});
  for (std::size_t index = 0; index < spans.size(); ++index) {
    EXPECT_NEAR(result.share(index, 0).energy.value() + result.share(index, 1).energy.value(),
                result.share(index, 2).energy.value(), 1e-9);
  }
}

TEST(Attribution, ASpanWithinAWindowIsLessSureThanTheWindow) {
  const Alternating run;
  const Attribution result = attribute(run.spans, run.timelines, {.classes = run.classes});
  EXPECT_NEAR(result.share(0, 0).variance, 0.0, 1e-9);  // the run's edges are windows' edges
  EXPECT_GT(result.share(50, 0).variance, 0.0);
}

// ---- bad input ----------------------------------------------------------------------------------

TEST(Attribution, NegativeEnergyIsPassedOnWhereItWasMeasured) {
  const std::vector<EnergyWindow> windows{{.begin = at(0), .end = at(10), .energy = Joules{1}},
                                          {.begin = at(10), .end = at(20), .energy = Joules{-0.1}},
                                          {.begin = at(20), .end = at(30), .energy = Joules{1}}};
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(windows, Nanoseconds{0})};
  const std::vector spans{span(0, 30, Span::kNone, Level::run), span(0, 10, 0), span(10, 20, 0),
                          span(20, 30, 0)};
  const Attribution result = attribute(spans, timelines);
  EXPECT_NEAR(result.share(0, 0).energy.value(), 1.9, 1e-12);
  EXPECT_NEAR(result.share(2, 0).energy.value(), -0.1, 1e-12);
}

TEST(Attribution, ARunThatUsedNothingOrLessIsSharedByTime) {
  for (const double joules : {0.0, -1.0}) {
    const std::vector<EnergyWindow> windows{
        {.begin = at(0), .end = at(10), .energy = Joules{joules}}};
    const std::vector<EnergyTimeline> timelines{EnergyTimeline(windows, Nanoseconds{100})};
    const std::vector spans{span(0, 10, Span::kNone, Level::run), span(0, 4, 0)};
    const Attribution result = attribute(spans, timelines);
    EXPECT_NEAR(result.share(1, 0).energy.value(), 0.4 * joules, 1e-12);
    EXPECT_FALSE(std::isnan(result.share(1, 0).variance));
  }
}

TEST(Attribution, ClassesAndGroupsThatAreNoneOrTooFewAreNone) {
  const std::vector spans{span(0, 100, Span::kNone, Level::run), span(0, 40, 0), span(40, 90, 0)};
  const std::vector<std::uint32_t> classes{5};        // too few
  const std::vector<std::uint32_t> groups{0, 99, 1};  // one that is not there
  const std::vector<SpanGroups> groupings{{.of_span = groups, .count = 2}, {}};
  const Attribution result =
      attribute(spans, constant(50.0, 100), {.classes = classes, .groupings = groupings});
  EXPECT_NEAR(result.group(0, 0)[0].energy.value(), 0.5, 1e-9);
  EXPECT_NEAR(result.group(0, 1)[0].energy.value(), 2.5, 1e-9);
}

/// Any tree, any windows, any of what can be wrong with them.
class AttributionProperty : public ::testing::TestWithParam<unsigned> {
 protected:
  std::mt19937_64 random_{GetParam()};
  std::uniform_real_distribution<double> unit_{0.0, 1.0};

  [[nodiscard]] bool chance(double probability) { return unit_(random_) < probability; }

  std::vector<EnergyWindow> windows(bool bad) {
    std::vector<EnergyWindow> result;
    double t = -20.0;
    while (t < 1100.0) {
      const double length = 0.05 + 20.0 * unit_(random_);
      if (chance(0.8)) {
        result.push_back(
            {.begin = at(t), .end = at(t + length), .energy = Joules{length * unit_(random_)}});
      }
      t += length * (chance(0.1) ? 0.5 : 1.0);  // now and then the next one overlaps
    }
    if (bad) {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      constexpr double kInf = std::numeric_limits<double>::infinity();
      result.push_back({.begin = at(10), .end = at(10), .energy = Joules{1}});
      result.push_back({.begin = at(30), .end = at(20), .energy = Joules{1}});
      result.push_back({.begin = at(30), .end = at(40), .energy = Joules{kNan}});
      result.push_back({.begin = at(30), .end = at(40), .energy = Joules{-kInf}});
      result.push_back({.begin = at(30), .end = at(40), .energy = Joules{1e300}});
      result.push_back({.begin = Instant::min(), .end = Instant::max(), .energy = Joules{1}});
      result.push_back({.begin = at(300), .end = at(310), .energy = Joules{0}});
    }
    std::ranges::shuffle(result, random_);
    return result;
  }

  /// A tree in the order in which its spans open; with `bad`, some that no recorder should write.
  std::vector<Span> spans(bool bad) {
    std::vector<Span> result{span(0, 1000, Span::kNone, Level::run)};
    struct Open {
      std::int32_t index;
      double end;
    };
    std::vector<Open> stack{{0, 1000.0}};
    double now = 0.0;
    while (result.size() < 3000 && now < 1000.0) {
      now += unit_(random_) * 0.5;
      while (stack.size() > 1 && now >= stack.back().end) {
        stack.pop_back();
      }
      if (stack.size() > 1 && chance(0.3)) {
        continue;
      }
      const double end = now + (stack.back().end - now) * unit_(random_);
      if (end <= now || stack.size() > 6) {
        continue;
      }
      Span next = span(now, end, stack.back().index, Level::operation);
      next.name = static_cast<std::uint16_t>(5 * unit_(random_));
      next.phase = chance(0.5) ? Phase::prefill : Phase::decode;
      if (bad && chance(0.1)) {
        switch (static_cast<int>(6 * unit_(random_))) {
          case 0:
            next.end = Instant{};
            break;  // never closed
          case 1:
            next.end = next.begin;
            break;  // without length
          case 2:
            next.end += from_ms(300 * unit_(random_));
            break;  // across its siblings
          case 3:
            next.begin -= from_ms(300 * unit_(random_));
            break;  // the clock stepped back
          case 4:
            next.parent = static_cast<std::int32_t>(4000 * unit_(random_)) - 500;
            break;
          default:
            next.begin = Instant::max();
            break;
        }
      }
      result.push_back(next);
      stack.push_back({static_cast<std::int32_t>(result.size()) - 1, end});
    }
    return result;
  }
};

/// Children and self are the parent; groups and what is in none are the run; nothing is NaN.
void expect_sound(std::span<const Span> spans, const Attribution& result, std::size_t lines,
                  std::span<const std::uint32_t> groups, std::uint32_t group_count) {
  for (std::size_t line = 0; line < lines; ++line) {
    std::vector<double> children(spans.size(), 0.0);
    double roots = 0.0;
    double selves = 0.0;
    double outside_groups = 0.0;
    for (std::size_t index = spans.size(); index-- > 0;) {
      const EnergyShare& share = result.share(index, line);
      const double energy = share.energy.value();
      const double self = result.self(index, line).value();
      ASSERT_TRUE(std::isfinite(energy) && std::isfinite(share.variance) && std::isfinite(self));
      ASSERT_GE(energy, 0.0);
      ASSERT_GE(self, 0.0);
      ASSERT_GE(share.variance, 0.0);
      ASSERT_GE(share.covered, Nanoseconds{0});
      EXPECT_NEAR(children[index] + self, energy, 1e-9 * energy);
      selves += self;
      outside_groups += groups[index] == SpanGroups::kNone ? self : 0.0;
      if (const std::uint32_t parent = parent_of(spans, index); parent != SpanTiling::kNoSpan) {
        children[parent] += energy;
      } else {
        roots += energy;
      }
    }
    EXPECT_NEAR(roots, selves, 1e-9 * roots);
    double grouped = 0.0;
    for (std::uint32_t group = 0; group < group_count; ++group) {
      const EnergyShare& share = result.group(0, group)[line];
      ASSERT_TRUE(std::isfinite(share.energy.value()) && std::isfinite(share.variance));
      ASSERT_GE(share.variance, 0.0);
      grouped += share.energy.value();
    }
    EXPECT_NEAR(grouped + outside_groups, roots, 1e-9 * roots);
  }
}

TEST_P(AttributionProperty, EnergyIsConserved) {
  for (const bool bad : {false, true}) {
    const std::vector<EnergyWindow> all = windows(bad);
    std::vector<EnergyTimeline> timelines;
    timelines.emplace_back(all, Nanoseconds{1000});
    timelines.emplace_back(std::span(all).first(all.size() / 2), Nanoseconds{0});
    timelines.emplace_back(std::span<const EnergyWindow>{}, Nanoseconds{0});
    const std::vector<Span> tree = spans(bad);
    ASSERT_GT(tree.size(), 200U);
    std::vector<std::uint32_t> classes;
    std::vector<std::uint32_t> groups;
    for (std::size_t index = 0; index < tree.size(); ++index) {
      classes.push_back(chance(0.2) ? kNoClass : static_cast<std::uint32_t>(12 * unit_(random_)));
      groups.push_back(chance(0.2) ? SpanGroups::kNone
                                   : static_cast<std::uint32_t>(20 * unit_(random_)));
    }
    const std::vector<SpanGroups> groupings{{.of_span = groups, .count = 20}};
    const std::vector<std::optional<Watts>> idle{Watts{5}};
    for (const bool by_time_alone : {false, true}) {
      const Attribution result = attribute(tree, timelines,
                                           {.classes = classes,
                                            .groupings = groupings,
                                            .idle_power = idle,
                                            .by_time_alone = by_time_alone});
      expect_sound(tree, result, timelines.size(), groups, 20);
      if (!bad && by_time_alone) {  // the total is what windows say of that time
        const double total = timelines[0].share(at(0), at(1000)).energy.value();
        EXPECT_NEAR(result.share(0, 0).energy.value(), total, 1e-9 * total);
      }
      EXPECT_EQ(bad, result.mended_spans() > 0);
    }
  }
}

TEST_P(AttributionProperty, OrderDoesNotMatter) {
  std::vector<EnergyWindow> all = windows(false);
  const std::vector<Span> tree = spans(false);
  const std::vector<EnergyTimeline> first{EnergyTimeline(all, Nanoseconds{1000})};
  const Attribution expected = attribute(tree, first);

  // Another order in which parents come before their children: by depth.
  std::vector<int> depth(tree.size(), 0);
  std::vector<std::size_t> order(tree.size());
  for (std::size_t index = 0; index < tree.size(); ++index) {
    order[index] = index;
    if (tree[index].parent != Span::kNone) {
      depth[index] = depth[static_cast<std::size_t>(tree[index].parent)] + 1;
    }
  }
  std::ranges::shuffle(order, random_);
  std::ranges::stable_sort(order, {}, [&](std::size_t index) { return depth[index]; });
  std::vector<std::int32_t> place(tree.size());
  std::vector<Span> other;
  for (const std::size_t index : order) {
    place[index] = static_cast<std::int32_t>(other.size());
    other.push_back(tree[index]);
    if (tree[index].parent != Span::kNone) {
      other.back().parent = place[static_cast<std::size_t>(tree[index].parent)];
    }
  }
  std::ranges::shuffle(all, random_);
  const std::vector<EnergyTimeline> again{EnergyTimeline(all, Nanoseconds{1000})};
  const Attribution found = attribute(other, again);
  EXPECT_EQ(found.mended_spans(), 0U);
  for (std::size_t index = 0; index < tree.size(); ++index) {
    const EnergyShare& a = expected.share(index, 0);
    const EnergyShare& b = found.share(static_cast<std::size_t>(place[index]), 0);
    // The classes are numbered in the order of time, whatever the list's: the same to rounding.
    EXPECT_NEAR(a.energy.value(), b.energy.value(), 1e-6 * a.energy.value() + 1e-12);
    EXPECT_EQ(a.covered, b.covered);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AttributionProperty, ::testing::Range(1U, 21U));

// ---- against known energy -----------------------------------------------------------------------

/// Mean absolute error over the output tokens, as a share of their mean energy; and the share of
/// them within two standard errors.
struct TokenErrors {
  double relative = 0.0;
  double within = 0.0;
};
TokenErrors token_errors(const sim::Program& program, const sim::SensorView& view) {
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(view.windows, view.stamp_error)};
  const Attribution result = attribute(program.spans, timelines, {.classes = program.class_of});
  double error = 0.0;
  double truth = 0.0;
  int count = 0;
  int within = 0;
  for (std::size_t index = 0; index < program.spans.size(); ++index) {
    if (program.spans[index].level != Level::token || program.spans[index].phase != Phase::decode) {
      continue;
    }
    const EnergyShare& share = result.share(index, 0);
    const double off = std::abs((share.energy - program.truth(program.spans[index])).value());
    error += off;
    truth += program.truth(program.spans[index]).value();
    within += off <= 2.0 * std::sqrt(share.variance) ? 1 : 0;
    ++count;
  }
  return {error / truth, static_cast<double>(within) / count};
}

TEST(Attribution, TokensOfASimulatedRunAreRightAndKnowTheirError) {
  sim::ProgramOptions options = sim::sample_programs(50).front();
  options.output_tokens = 400;
  const sim::Program program = sim::simulate(options);
  const TokenErrors locked =
      token_errors(program, sim::read_counter(program.trace, {}, sim::LockedReads{}, 1));
  EXPECT_LT(locked.relative, 0.005);
  EXPECT_GT(locked.within, 0.9);
  const TokenErrors free =
      token_errors(program, sim::read_counter(program.trace, {}, sim::FreeReads{}, 1));
  EXPECT_GT(free.relative, 3 * locked.relative);  // what locking is for
  const TokenErrors means = token_errors(program, sim::read_means(program.trace, {}, 1));
  EXPECT_LT(means.relative, 0.03);
  EXPECT_GT(means.within, 0.9);
}

}  // namespace
}  // namespace enprof
