// What holds for any windows and spans, valid or not; and how far repeated runs may differ.
#include "attribution/attribution.hpp"
#include "attribution/span_tiling.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/sensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace enprof {
namespace {

Instant at(double ms) { return Instant{from_ms(ms)}; }

Span span(double begin_ms, double end_ms, std::int32_t parent, Level level = Level::section) {
  return {.begin = at(begin_ms), .end = at(end_ms), .parent = parent, .level = level};
}

/// Random trees and windows, with everything that can be wrong with them.
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
      t += length * (chance(0.1) ? 0.5 : 1.0);  // sometimes the next one overlaps
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

  /// A tree in the order in which its spans open; with `bad`, also invalid spans.
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
            break;  // of zero length
          case 2:
            next.end += from_ms(300 * unit_(random_));
            break;  // overlaps its siblings
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

/// Checks that children + self = parent, groups + the rest = run, and that nothing is NaN.
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
      if (!bad && by_time_alone) {  // the total is the windows' energy in that time
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

  // Another order with parents before their children: by depth.
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
    // Classes are numbered in order of time, whatever the list's order: equal up to rounding.
    EXPECT_NEAR(a.energy.value(), b.energy.value(), 1e-6 * a.energy.value() + 1e-12);
    EXPECT_EQ(a.covered, b.covered);
  }
}

/// What the windows that a span touches had.
struct Touched {
  double joules = 0.0;
  double least_w = std::numeric_limits<double>::infinity();
  double most_w = 0.0;
  bool cuts_one = false;  ///< an edge of the span lies within one of them
};
Touched touched_by(const SpanTiling& tiling, std::size_t index, const EnergyTimeline& timeline) {
  Touched touched;
  const Instant begin = tiling.tiles[tiling.ranges[index].begin].begin;
  const Instant end = tiling.tiles[tiling.ranges[index].end].begin;
  for (std::size_t at = timeline.segment_at(begin); at < timeline.segment_count(); ++at) {
    const EnergyTimeline::Segment segment = timeline.segment(at);
    if (segment.begin >= end) {
      break;
    }
    if (!segment.covered || segment.end <= begin) {
      continue;
    }
    const double watts = segment.energy.value() / seconds(segment.length());
    touched.joules += segment.energy.value();
    touched.least_w = std::min(touched.least_w, watts);
    touched.most_w = std::max(touched.most_w, watts);
    touched.cuts_one = touched.cuts_one ||
                       ((segment.begin < begin || segment.end > end) && segment.energy > Joules{});
  }
  return touched;
}

TEST_P(AttributionProperty, NothingGetsMoreThanItsWindowsHadAndNothingIsCertainThatIsNot) {
  for (const bool bad : {false, true}) {
    const std::vector<EnergyWindow> all = windows(bad);
    const std::vector<Span> tree = spans(bad);
    const SpanTiling tiling = tile(tree);
    std::vector<std::uint32_t> classes;
    for (std::size_t index = 0; index < tree.size(); ++index) {
      classes.push_back(static_cast<std::uint32_t>(12 * unit_(random_)));
    }
    std::vector<EnergyWindow> blind = all;
    for (EnergyWindow& window : blind) {
      window.unseen_permille = 500;
    }
    const std::vector<EnergyTimeline> timelines{EnergyTimeline(all, Nanoseconds{0}),
                                                EnergyTimeline(all, Nanoseconds{2000}),
                                                EnergyTimeline(blind, Nanoseconds{0})};
    for (const bool by_time_alone : {false, true}) {
      const Attribution result =
          attribute(tree, timelines, {.classes = classes, .by_time_alone = by_time_alone});
      std::size_t cut = 0;
      for (std::size_t index = 0; index < tree.size(); ++index) {
        for (std::size_t line = 0; line < timelines.size(); ++line) {
          const EnergyShare& share = result.share(index, line);
          if (share.covered <= Nanoseconds{0}) {
            ASSERT_EQ(share.energy.value(), 0.0) << index;
            continue;
          }
          const Touched touched = touched_by(tiling, index, timelines[line]);
          ASSERT_GE(share.energy.value(), 0.0) << index;
          ASSERT_LE(share.energy.value(), touched.joules * (1 + 1e-9)) << index;
          if (by_time_alone) {  // then power is constant within a window
            const double watts = share.energy.value() / seconds(share.covered);
            const double rounding = 2e-9 / seconds(share.covered) + 1e-9;
            ASSERT_LE(watts, touched.most_w * (1 + rounding)) << index;
            ASSERT_GE(watts, touched.least_w * (1 - rounding)) << index;
          }
          ASSERT_TRUE(std::isfinite(share.variance)) << index;
          const bool is_unknown = line > 0 || touched.cuts_one;
          cut += touched.cuts_one ? 1 : 0;
          if (is_unknown && share.energy > Joules{}) {
            ASSERT_GT(share.variance, 0.0) << index << " on timeline " << line;
          }
        }
      }
      EXPECT_GT(cut, 200U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AttributionProperty, ::testing::Range(1U, 21U));

// ---- repeated runs ------------------------------------------------------------------------------

struct Repeated {
  std::string name;
  std::function<sim::SensorView(const sim::PowerTrace&, std::uint64_t seed)> read;
};

/// The run, its phases, tokens and sections.
std::vector<Span> without_passes(const sim::Program& program) {
  std::vector<Span> kept;
  std::vector<std::int32_t> place(program.spans.size(), Span::kNone);
  for (std::size_t index = 0; index < program.spans.size(); ++index) {
    Span span = program.spans[index];
    if (span.level != Level::layer && span.level != Level::component &&
        span.level != Level::operation) {
      place[index] = static_cast<std::int32_t>(kept.size());
      if (span.parent != Span::kNone) {
        span.parent = place[static_cast<std::size_t>(span.parent)];
      }
      kept.push_back(span);
    }
  }
  return kept;
}

/// 200 measurements of one and the same run, at other phases of the sensor: the difference between
/// one and the next is within two of its standard errors 95 times in a hundred.
TEST(AttributionRepeats, IdenticalRunsDifferWithinTheirStatedSpread) {
  sim::ProgramOptions options = sim::sample_programs(60).front();
  options.output_tokens = 300;
  const sim::Program program = sim::simulate(options);
  const std::vector<Span> spans = without_passes(program);
  const std::vector<Repeated> sensors{
      {"locked", [](const auto& trace,
                    auto seed) { return sim::read_counter(trace, {}, sim::LockedReads{}, seed); }},
      {"locked, each tenth step",
       [](const auto& trace, auto seed) {
         return sim::read_counter(trace, {}, sim::LockedReads{.every = 10}, seed);
       }},
      {"free", [](const auto& trace,
                  auto seed) { return sim::read_counter(trace, {}, sim::FreeReads{}, seed); }},
      {"means", [](const auto& trace, auto seed) { return sim::read_means(trace, {}, seed); }},
      {"part-time",
       [](const auto& trace, auto seed) { return sim::read_part_time(trace, {}, seed); }},
      {"instants",
       [](const auto& trace, auto seed) { return sim::read_instants(trace, {}, seed); }},
  };
  constexpr std::uint64_t kRepeats = 200;
  for (const Repeated& sensor : sensors) {
    std::vector<EnergyShare> before;
    std::vector<int> within(spans.size());
    std::vector<int> pairs(spans.size());
    for (std::uint64_t seed = 1; seed <= kRepeats; ++seed) {
      const sim::SensorView view = sensor.read(program.trace, 9000 + seed);
      const std::vector<EnergyTimeline> timelines{EnergyTimeline(view.windows, view.stamp_error)};
      const Attribution result = attribute(spans, timelines);
      std::vector<EnergyShare> now;
      for (std::size_t index = 0; index < spans.size(); ++index) {
        now.push_back(result.share(index, 0));
        if (!before.empty()) {
          const double off = std::abs((now[index].energy - before[index].energy).value());
          within[index] +=
              off * off <= 4.0 * (now[index].variance + before[index].variance) ? 1 : 0;
          ++pairs[index];
        }
      }
      before = std::move(now);
    }
    // The bar is 0.95. Misses, in docs/accuracy.md: prefill lasts about one window of the slow
    // sensors, and tokens under locked reads have no classes here that explain their course.
    double tokens = 0.0;
    double tokens_within = 0.0;
    double phases = 0.0;
    double phases_within = 0.0;
    for (std::size_t index = 0; index < spans.size(); ++index) {
      const Level level = spans[index].level;
      const double share = within[index] / static_cast<double>(pairs[index]);
      if (level == Level::run) {
        EXPECT_GE(share, 0.92) << sensor.name;
      } else if (level == Level::phase) {
        EXPECT_GE(share, 0.75) << sensor.name << ": " << program.names[spans[index].name];
        phases += pairs[index];
        phases_within += within[index];
      } else if (level == Level::token) {
        tokens += pairs[index];
        tokens_within += within[index];
      }
    }
    EXPECT_GE(phases_within / phases, 0.92) << sensor.name << ": all phases";
    EXPECT_GE(tokens_within / tokens, 0.87) << sensor.name << ": tokens";
  }
}

}  // namespace
}  // namespace enprof
