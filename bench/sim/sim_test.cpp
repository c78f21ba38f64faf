#include "bench/sim/naive.hpp"
#include "bench/sim/power_trace.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/random.hpp"
#include "bench/sim/sensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace enprof::sim {
namespace {

using namespace std::chrono_literals;

Instant at(double ms) { return Instant{from_ms(ms)}; }

/// 20 W, and 60 W in the second half of each 10 ms.
PowerTrace steps(double until_ms) {
  PowerTrace trace{Instant{}};
  for (double ms = 0; ms < until_ms; ms += 10) {
    trace.append(5ms, Watts{20});
    trace.append(5ms, Watts{60});
  }
  return trace;
}

Joules sum(const std::vector<EnergyWindow>& windows) {
  Joules energy;
  for (const EnergyWindow& window : windows) {
    energy += window.energy;
  }
  return energy;
}

TEST(Random, IsTheSameEverywhere) {
  Random random(42);
  // The standard gives mt19937_64's ten thousandth number; these are its first ones, as used here.
  EXPECT_DOUBLE_EQ(random.uniform(), 0.75515553295453897);
  EXPECT_DOUBLE_EQ(random.uniform(), 0.63903139385469743);
  double total = 0.0;
  double squares = 0.0;
  for (int count = 0; count < 20000; ++count) {
    const double value = random.normal();
    total += value;
    squares += value * value;
  }
  EXPECT_NEAR(total / 20000, 0.0, 0.03);
  EXPECT_NEAR(squares / 20000, 1.0, 0.05);
}

TEST(PowerTrace, IntegratesItsPieces) {
  const PowerTrace trace = steps(100);
  EXPECT_NEAR(trace.energy(at(0), at(100)).value(), 4.0, 1e-12);
  EXPECT_NEAR(trace.energy(at(2), at(7)).value(), 0.06 + 0.12, 1e-12);
  EXPECT_NEAR(trace.energy(at(-5), at(105)).value(), 4.0, 1e-12);  // zero beyond its ends
  EXPECT_EQ(trace.power(at(4)), Watts{20});
  EXPECT_EQ(trace.power(at(5)), Watts{60});
}

TEST(Program, SpansAreATreeThatFillsTheRun) {
  for (ProgramOptions options : sample_programs(1)) {
    options.output_tokens = 5;
    const Program program = simulate(options);
    ASSERT_EQ(program.spans.size(), program.class_of.size());
    ASSERT_EQ(program.spans.size(), program.layer_of.size());
    EXPECT_EQ(program.spans.front().level, Level::run);
    Nanoseconds phases{0};
    for (std::size_t index = 1; index < program.spans.size(); ++index) {
      const Span& span = program.spans[index];
      const Span& parent = program.spans[static_cast<std::size_t>(span.parent)];
      ASSERT_LT(static_cast<std::size_t>(span.parent), index);
      EXPECT_GT(span.duration(), 0ns);
      EXPECT_GE(span.begin, parent.begin);
      EXPECT_LE(span.end, parent.end);
      EXPECT_EQ(program.class_of[index] != Program::kNone, span.level == Level::operation);
      phases += span.level == Level::phase ? span.duration() : 0ns;
    }
    EXPECT_EQ(phases, program.spans.front().duration());
    EXPECT_EQ(program.trace.end(), program.spans.front().end + options.idle_around);
  }
}

TEST(Program, IsDecidedByItsSeed) {
  ProgramOptions options = sample_programs(1).front();
  options.output_tokens = 4;
  const Program program = simulate(options);
  EXPECT_EQ(simulate(options).spans, program.spans);
  EXPECT_EQ(simulate(options).truth(program.spans.front()), program.truth(program.spans.front()));
  ++options.seed;
  EXPECT_NE(simulate(options).spans, program.spans);
}

TEST(Program, AttentionGrowsWithTheContext) {
  ProgramOptions options = sample_programs(1).front();
  options.prompt_tokens = 16;
  options.output_tokens = 400;
  const Program program = simulate(options);
  Nanoseconds early{0};
  Nanoseconds late{0};
  for (std::size_t index = 0; index < program.spans.size(); ++index) {
    const Span& span = program.spans[index];
    if (program.class_of[index] != Program::kNone && span.phase == Phase::decode &&
        program.classes[program.class_of[index]].component == "attention") {
      (span.token < 200 ? early : late) += span.duration();
    }
  }
  EXPECT_GT(late, early + early / 4);
}

TEST(Program, ASecondProcessDrawsPowerThatIsNotOurs) {
  ProgramOptions options = sample_programs(1).front();
  options.output_tokens = 300;
  const Joules alone = simulate(options).truth(simulate(options).spans.front());
  options.disturbance.second_process_w = 40.0;
  const Program shared = simulate(options);
  EXPECT_GT(shared.truth(shared.spans.front()), alone * 1.05);
}

TEST(CounterSensor, CountsWhatWasUsed) {
  const PowerTrace trace = steps(2000);
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const SensorView view = read_counter(trace, CounterModel{}, LockedReads{}, seed);
    ASSERT_GT(view.windows.size(), 1900U);
    const Instant begin = view.windows.front().begin;
    const Instant end = view.windows.back().end;
    EXPECT_NEAR(sum(view.windows).value(), trace.energy(begin, end).value(), 3e-4);
    for (std::size_t index = 1; index < view.windows.size(); ++index) {
      EXPECT_EQ(view.windows[index].begin, view.windows[index - 1].end);
    }
  }
}

TEST(CounterSensor, LockedStampsAreOffByTheTimeOfALookFreeOnesByAStep) {
  PowerTrace trace{Instant{}};
  trace.append(2s, Watts{50});  // constant power, so that energy gives the time
  const auto worst_ms = [](const SensorView& view) {
    double worst = 0.0;
    double energy = 0.0;
    for (const EnergyWindow& window : view.windows) {
      energy += window.energy.value();
      const double stamped = seconds(window.end - view.windows.front().begin);
      worst = std::max(worst, std::abs(stamped - energy / 50.0) * 1e3);
    }
    return worst;
  };
  // A quantum at 50 W is 1.2 µs, a poll 1.6 µs.
  EXPECT_LT(worst_ms(read_counter(trace, CounterModel{}, LockedReads{}, 5)), 0.004);
  const double free_ms = worst_ms(read_counter(trace, CounterModel{}, FreeReads{}, 5));
  EXPECT_GT(free_ms, 0.4);
  EXPECT_LT(free_ms, 2.0);
}

TEST(CounterSensor, GoesAroundAndIsReadOn) {
  PowerTrace trace{Instant{}};
  trace.append(10s, Watts{100});
  const CounterModel small{.range_j = 64.0};  // wraps fifteen times in 10 s
  const SensorView view = read_counter(trace, small, LockedReads{.every = 10}, 3);
  EXPECT_NEAR(sum(view.windows).value(),
              trace.energy(view.windows.front().begin, view.windows.back().end).value(), 1e-3);
  for (const EnergyWindow& window : view.windows) {
    EXPECT_GT(window.energy.value(), 0.0);
    EXPECT_LT(window.energy.value(), 5.0);
  }
}

TEST(MeanSensor, ToldTimesAreLateButMeansAreTrue) {
  const PowerTrace trace = steps(3000);
  const SensorView view = read_means(trace, MeanModel{}, 4);
  ASSERT_GT(view.windows.size(), 25U);
  EXPECT_NEAR(sum(view.windows).value(),
              trace.energy(view.windows.front().begin, view.windows.back().end).value(), 0.1);
  EXPECT_EQ(view.points.size(), view.windows.size());
}

TEST(PartTimeSensor, SeesAQuarterOfTheTime) {
  PowerTrace trace{Instant{}};
  for (int period = 0; period < 40; ++period) {  // 100 W in each first quarter of 100 ms, else 20 W
    trace.append(25ms, Watts{100});
    trace.append(75ms, Watts{20});
  }
  std::set<int> seen;
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    const SensorView view = read_part_time(trace, PartTimeModel{}, seed);
    for (const PowerPoint& point : view.points) {
      EXPECT_GE(point.power, Watts{20});
      EXPECT_LE(point.power, Watts{100});
      seen.insert(static_cast<int>(point.power.value() / 20));
    }
  }
  EXPECT_TRUE(seen.contains(1));  // sees nothing of the load
  EXPECT_TRUE(seen.contains(4));  // sees almost only the load
}

TEST(Naive, LatestPowerIsTheOneKnownAtTheEnd) {
  const std::vector<PowerPoint> points{
      {at(0), Watts{10}}, {at(10), Watts{20}}, {at(20), Watts{30}}};
  EXPECT_NEAR(latest_power(points, at(11), at(15)).value(), 0.08, 1e-12);
  EXPECT_NEAR(latest_power(points, at(11), at(20)).value(), 0.27, 1e-12);
  EXPECT_NEAR(latest_power(points, at(-5), at(-1)).value(), 0.04, 1e-12);
  EXPECT_EQ(latest_power({}, at(0), at(1)), Joules{});
}

TEST(Naive, TrapezoidOfStraightLinesIsExact) {
  const std::vector<PowerPoint> points{
      {at(0), Watts{10}}, {at(10), Watts{20}}, {at(20), Watts{40}}};
  EXPECT_NEAR(trapezoid(points, at(0), at(20)).value(), 0.15 + 0.30, 1e-12);
  EXPECT_NEAR(trapezoid(points, at(5), at(15)).value(), 0.005 * 17.5 + 0.005 * 25, 1e-12);
  EXPECT_NEAR(trapezoid(points, at(2), at(4)).value(), 0.002 * 13, 1e-12);
  EXPECT_NEAR(trapezoid(points, at(20), at(30)).value(), 0.4, 1e-12);  // the last power continues
}

}  // namespace
}  // namespace enprof::sim
