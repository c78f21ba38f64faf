#include "attribution/attribution.hpp"

#include "attribution/span_tiling.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/sensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <span>
#include <vector>

namespace enprof {
namespace {

Instant at(double ms) { return Instant{from_ms(ms)}; }

Span span(double begin_ms, double end_ms, std::int32_t parent, Level level = Level::section,
          Phase phase = Phase::pre_inference) {
  return {
      .begin = at(begin_ms), .end = at(end_ms), .parent = parent, .level = level, .phase = phase};
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

/// A run of alternating work: 4 ms of class 0 at 80 W, then 2 ms of class 1 at 20 W, with windows
/// of 5 ms, whose edges fall at all places of that pattern.
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
  EXPECT_EQ(result.group(0, 2)[0].covered, Nanoseconds{0});  // the group is empty
}

TEST(Attribution, AGroupMayHavePartsOfSpans) {
  const Alternating run;
  // Of the strong work the first has three quarters, of the weak work the second has all.
  SpanDivisions divisions;
  divisions.add(0, 0.75);
  divisions.add(1, 0.25);
  divisions.add(2, 0.0);
  EXPECT_EQ(divisions.end_row(), 0U);
  divisions.add(1, 1.0);
  divisions.add(7, 1.0);  // there is no such group
  EXPECT_EQ(divisions.end_row(), 1U);
  const std::vector<SpanGroups> groupings{
      {.of_span = run.classes, .count = 2},
      {.of_span = run.classes, .count = 3, .divisions = &divisions}};
  const Attribution result =
      attribute(run.spans, run.timelines, {.classes = run.classes, .groupings = groupings});
  const EnergyShare& strong = result.group(0, 0)[0];
  const EnergyShare& weak = result.group(0, 1)[0];
  const EnergyShare& first = result.group(1, 0)[0];
  const EnergyShare& second = result.group(1, 1)[0];
  EXPECT_NEAR(first.energy.value(), 0.75 * strong.energy.value(), 1e-9);
  EXPECT_NEAR(second.energy.value(), 0.25 * strong.energy.value() + weak.energy.value(), 1e-9);
  EXPECT_NEAR(std::sqrt(first.variance), 0.75 * std::sqrt(strong.variance),
              1e-3 * std::sqrt(strong.variance));
  // What the first wrongly has, the second has too little of.
  const double truth = 0.25 * 64.0 + 8.0;
  EXPECT_NEAR(second.energy.value(), truth, 3 * std::sqrt(second.variance) + 1e-9);
  EXPECT_EQ(result.group(1, 2)[0].covered, Nanoseconds{0});
}

TEST(Attribution, WholePartsAreAGroup) {
  const Alternating run;
  SpanDivisions divisions;
  for (const std::uint32_t group : {0U, 1U}) {
    divisions.add(group, 1.0);
    divisions.end_row();
  }
  const std::vector<SpanGroups> groupings{
      {.of_span = run.classes, .count = 2},
      {.of_span = run.classes, .count = 2, .divisions = &divisions}};
  const Attribution result =
      attribute(run.spans, run.timelines, {.classes = run.classes, .groupings = groupings});
  for (const std::size_t group : {0U, 1U}) {
    EXPECT_EQ(result.group(0, group)[0].energy, result.group(1, group)[0].energy);
    EXPECT_EQ(result.group(0, group)[0].variance, result.group(1, group)[0].variance);
    EXPECT_EQ(result.group(0, group)[0].covered, result.group(1, group)[0].covered);
  }
}

TEST(Attribution, HalfOfAWholeWindowHasNoErrorFromHowItsPiecesDiffer) {
  // Windows of 10 ms, exact stamps, and a piece of work in each half of it.
  std::vector<Span> spans{span(0, 1000, Span::kNone, Level::run)};
  std::vector<std::uint32_t> rows{SpanGroups::kNone};
  std::vector<std::uint32_t> classes{kNoClass};
  for (int piece = 0; piece < 200; ++piece) {
    spans.push_back(span(5.0 * piece, 5.0 * (piece + 1), 0, Level::operation));
    classes.push_back(static_cast<std::uint32_t>(piece % 2));
    rows.push_back(0);
  }
  SpanDivisions divisions;
  divisions.add(0, 0.5);
  divisions.add(1, 0.5);
  divisions.end_row();
  const std::vector<SpanGroups> groupings{{.of_span = rows, .count = 2, .divisions = &divisions}};
  const Attribution result =
      attribute(spans, constant(50.0, 1000), {.classes = classes, .groupings = groupings});
  for (const std::size_t group : {0U, 1U}) {
    EXPECT_NEAR(result.group(0, group)[0].energy.value(), 25.0, 1e-9);
    EXPECT_NEAR(result.group(0, group)[0].variance, 0.0, 1e-9);
  }
}

TEST(Attribution, WhatWindowsCannotTellApartKeepsAWideError) {
  // Each window contains the same mix: half of each class, of 30 and 70 W.
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
    EXPECT_GT(std::sqrt(share.variance), 4.0);  // 15 and 35 J lie within two and a half errors
    EXPECT_LT(std::sqrt(share.variance), 10.0);
  }
  EXPECT_NEAR(result.share(0, 0).variance, 0.0, 1e-9);  // the sum of both was measured
}

/// Windows of equal length; those of [from, to) at `watts`, the others at `outside_w`.
std::vector<EnergyTimeline> step_of_power(double window_ms, double end_ms, double from, double to,
                                          double watts, double outside_w, bool with_outside) {
  std::vector<EnergyWindow> windows;
  for (double begin = -end_ms; begin < 2 * end_ms; begin += window_ms) {
    const double end = begin + window_ms;
    const double inside = std::max(0.0, std::min(end, to) - std::max(begin, from));
    if (inside > 0.0 || with_outside) {
      const double mj = inside * watts + (window_ms - inside) * outside_w;
      windows.push_back({.begin = at(begin), .end = at(end), .energy = Joules{mj * 1e-3}});
    }
  }
  return {EnergyTimeline(windows, Nanoseconds{0})};
}

TEST(Attribution, PowerOutsideTheRunIsWhatWindowsThereSay) {
  const std::vector spans{span(2, 7, Span::kNone, Level::run)};
  // 5 ms at 70 W within one window; idle was measured at 10 W or at 60 W, whatever is drawn now.
  for (const double idle_w : {10.0, 60.0}) {
    const std::vector<std::optional<Watts>> idle{Watts{idle_w}};
    const EnergyShare share =
        attribute(spans, step_of_power(10, 20, 2, 7, 70, 10, true), {.idle_power = idle})
            .share(0, 0);
    EXPECT_NEAR(share.energy.value(), 0.35, 0.01);
    EXPECT_LT(std::sqrt(share.variance), 0.03);
  }
}

TEST(Attribution, PowerOutsideTheRunIsUnknownWithoutWindowsThere) {
  const std::vector spans{span(2, 7, Span::kNone, Level::run)};
  const std::vector<std::optional<Watts>> idle{Watts{10}};
  const auto timelines = step_of_power(10, 20, 2, 7, 70, 10, false);
  EXPECT_NEAR(attribute(spans, timelines).share(0, 0).energy.value(), 0.2, 1e-12);
  const EnergyShare share = attribute(spans, timelines, {.idle_power = idle}).share(0, 0);
  const double error = std::sqrt(share.variance);
  EXPECT_GT(share.energy.value() + 2 * error, 0.35) << "as if it idled outside";
  EXPECT_LT(share.energy.value() - 2 * error, 0.2) << "as if it went on outside";
  EXPECT_LE(share.energy.value(), 0.2 + 1e-12) << "no more power than the window's";
}

/// Before, during and after a run of 60 ms the sensor shows 50 W; idle was 10 W before that.
TEST(Attribution, ConstantPowerIsConstantInEachPhase) {
  const std::vector<std::optional<Watts>> idle{Watts{10}};
  for (const double window_ms : {10.0, 100.0}) {
    for (const bool with_outside : {true, false}) {
      SCOPED_TRACE(::testing::Message() << window_ms << " ms, " << with_outside);
      const std::vector spans{span(3, 63, Span::kNone, Level::run),
                              span(3, 8, 0, Level::phase, Phase::pre_inference),
                              span(8, 20, 0, Level::phase, Phase::prefill),
                              span(20, 61, 0, Level::phase, Phase::decode),
                              span(61, 63, 0, Level::phase, Phase::post_inference)};
      const auto timelines = step_of_power(window_ms, 100, 3, 63, 50, 50, with_outside);
      const Attribution result = attribute(spans, timelines, {.idle_power = idle});
      for (std::size_t index = 0; index < spans.size(); ++index) {
        const EnergyShare& share = result.share(index, 0);
        const double truth = 50.0 * seconds(spans[index].duration());
        const double error = std::sqrt(share.variance);
        EXPECT_LE(std::abs(share.energy.value() - truth), 2 * error + 1e-9) << index;
        if (with_outside || window_ms == 10.0) {
          EXPECT_NEAR(share.energy.value(), truth, 0.03 * truth) << index;
          EXPECT_LE(share.energy.value(), 1.0001 * truth) << "no more than the peak";
        }
      }
    }
  }
}

/// Power rises from 10 to 50 W at 90 ms; the run's last millisecond shares its window with decode
/// and with what comes after the run.
TEST(Attribution, NoPhaseAtTheEdgeGetsMoreThanTheHighestWindow) {
  const std::vector spans{span(3, 97, Span::kNone, Level::run),
                          span(3, 8, 0, Level::phase, Phase::pre_inference),
                          span(8, 96, 0, Level::phase, Phase::decode),
                          span(96, 97, 0, Level::phase, Phase::post_inference)};
  const auto timelines = step_of_power(10, 200, 90, 400, 50, 10, true);
  const Attribution result = attribute(spans, timelines);
  for (std::size_t index = 0; index < spans.size(); ++index) {
    const double watts = result.share(index, 0).energy.value() / seconds(spans[index].duration());
    EXPECT_LE(watts, 50.0 * (1 + 1e-9)) << index;
    EXPECT_GE(watts, 10.0 * (1 - 1e-9)) << index;
  }
  EXPECT_NEAR(result.share(3, 0).energy.value(), 0.05, 0.005);
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
  EXPECT_NEAR(result.share(0, 0).variance, 0.0, 1e-9);  // the run's edges are edges of windows
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
  const std::vector<std::uint32_t> groups{0, 99, 1};  // 99 does not exist
  const std::vector<SpanGroups> groupings{{.of_span = groups, .count = 2}, {}};
  const Attribution result =
      attribute(spans, constant(50.0, 100), {.classes = classes, .groupings = groupings});
  EXPECT_NEAR(result.group(0, 0)[0].energy.value(), 0.5, 1e-9);
  EXPECT_NEAR(result.group(0, 1)[0].energy.value(), 2.5, 1e-9);
}

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
  EXPECT_GT(free.relative, 3 * locked.relative);  // the benefit of locking
  const TokenErrors means = token_errors(program, sim::read_means(program.trace, {}, 1));
  EXPECT_LT(means.relative, 0.03);
  EXPECT_GT(means.within, 0.9);
}

}  // namespace
}  // namespace enprof
