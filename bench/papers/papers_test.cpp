#include "bench/papers/nvml.hpp"
#include "bench/papers/power_course.hpp"
#include "bench/papers/powermetrics.hpp"
#include "bench/papers/rapl.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enprof::papers {
namespace {

/// 20 W, and 80 W in the second half of each `period_s`.
PowerCourse square_wave(double period_s, double until_s) {
  PowerCourse course(0.0);
  while (course.end_s() < until_s) {
    course.add(period_s / 2, 20.0);
    course.add(period_s / 2, 80.0);
  }
  return course;
}

double sum_j(const Readings& readings) {
  double sum = 0.0;
  for (const EnergyWindow& window : readings.windows) {
    sum += window.energy.value();
  }
  return sum;
}
double begin_s(const Readings& readings) {
  return seconds(readings.windows.front().begin - Instant{});
}
double end_s(const Readings& readings) { return seconds(readings.windows.back().end - Instant{}); }

/// The furthest that a stamp is from the time at which constant power had used what was read.
double worst_stamp_s(const Readings& readings, double watts) {
  double worst = 0.0;
  double joules = 0.0;
  for (const EnergyWindow& window : readings.windows) {
    joules += window.energy.value();
    const double stamped = seconds(window.end - readings.windows.front().begin);
    worst = std::max(worst, std::abs(stamped - joules / watts));
  }
  return worst;
}

TEST(Dice, HaveTheMomentsThatTheyPromise) {
  Dice dice(7);
  double sum = 0.0;
  double squares = 0.0;
  double waits = 0.0;
  constexpr int kThrows = 40000;
  for (int count = 0; count < kThrows; ++count) {
    const double value = dice.gauss();
    sum += value;
    squares += value * value;
    waits += dice.wait(3.0);
  }
  EXPECT_NEAR(sum / kThrows, 0.0, 0.02);
  EXPECT_NEAR(squares / kThrows, 1.0, 0.03);
  EXPECT_NEAR(waits / kThrows, 3.0, 0.06);
}

TEST(PowerCourse, IntegratesWhatWasAdded) {
  const PowerCourse course = square_wave(0.01, 0.1);
  EXPECT_NEAR(course.joules_until(0.1), 5.0, 1e-9);
  EXPECT_NEAR(course.joules_until(0.007), 0.1 + 0.16, 1e-9);
  EXPECT_NEAR(course.mean_watts(0.002, 0.007), (0.06 + 0.16) / 0.005, 1e-6);
  EXPECT_EQ(course.joules_until(-1.0), 0.0);
  EXPECT_NEAR(course.joules_until(9.0), 5.0, 1e-9);
}

TEST(RaplRegister, IsRenewedAboutEachMillisecondAndGoesAround) {
  PowerCourse course(0.0);
  course.add(5.0, 100.0);
  Dice dice(1);
  const RaplRegister source(course, {}, dice);
  const auto& updates = source.updates();
  EXPECT_NEAR(static_cast<double>(updates.size()), 5000.0, 20.0);
  EXPECT_TRUE(std::ranges::any_of(
      updates, [&](const auto& update) { return update.value < updates.front().value; }));
  EXPECT_NEAR(source.joules(updates.front().value, updates.back().value),
              100.0 * (updates.back().at_s - updates.front().at_s), 1e-3);
}

TEST(AlignedReader, StampsUpdatesAndSeesAllEnergy) {
  PowerCourse course(0.0);
  course.add(3.0, 50.0);
  Dice dice(2);
  const RaplRegister source(course, {}, dice);
  const Readings readings = read_rapl(source, AlignedReader{}, dice);
  EXPECT_GT(readings.windows.size(), 2800U);
  EXPECT_NEAR(sum_j(readings), 50.0 * (end_s(readings) - begin_s(readings)), 3e-3);
  EXPECT_LT(worst_stamp_s(readings, 50.0), 150e-6);  // a long interrupt
  const Readings tenth = read_rapl(source, AlignedReader{.updates = 10}, dice);
  EXPECT_NEAR(static_cast<double>(tenth.windows.size()), 300.0, 10.0);
}

TEST(PacedReader, SeesValuesOfUnknownAge) {
  PowerCourse course(0.0);
  course.add(3.0, 50.0);
  Dice dice(3);
  const RaplRegister source(course, {}, dice);
  const Readings readings = read_rapl(source, PacedReader{}, dice);
  EXPECT_NEAR(sum_j(readings), 50.0 * (end_s(readings) - begin_s(readings)), 0.06);
  EXPECT_GT(worst_stamp_s(readings, 50.0), 0.4e-3);
  EXPECT_LT(worst_stamp_s(readings, 50.0), 1.5e-3);
}

TEST(NvmlCounter, TakesTheEndOfAPeriodForTheWhole) {
  // The wave fits into the window five times: what is seen is like what is not.
  const PowerCourse fast = square_wave(0.005, 4.0);
  Dice dice(4);
  const Readings alike = read_nvml_counter(fast, kA100, {}, dice);
  EXPECT_NEAR(sum_j(alike), 50.0 * (end_s(alike) - begin_s(alike)), 3.0);
  EXPECT_EQ(alike.windows.front().unseen_permille, 750);
  // The wave has the sensor's period: over the phases of the sensor, anything can be seen.
  const PowerCourse beating = square_wave(0.1, 4.0);
  double least = 100.0;
  double most = 0.0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Dice other(seed);
    const Readings readings = read_nvml_counter(beating, kA100, {}, other);
    const double watts = sum_j(readings) / (end_s(readings) - begin_s(readings));
    least = std::min(least, watts);
    most = std::max(most, watts);
  }
  EXPECT_LT(least, 25.0);
  EXPECT_GT(most, 75.0);
}

TEST(LaggingPower, FollowsLikeACapacitor) {
  PowerCourse course(0.0);
  course.add(1.0, 20.0);
  course.add(8.0, 120.0);
  Dice dice(5);
  const Readings readings = read_lagging_power(course, {}, dice);
  for (const EnergyWindow& window : readings.windows) {
    const double since_s = seconds(window.end - Instant{}) - 1.0;
    const double watts = window.energy.value() / seconds(window.duration());
    const double expected = since_s > 0.0 ? 20.0 + 100.0 * (1.0 - std::exp(-since_s / 0.83)) : 20.0;
    EXPECT_NEAR(watts, expected, 2.0) << since_s;
  }
}

TEST(Powermetrics, SamplesFollowOneAnotherAndAreALittleLate) {
  const PowerCourse course = square_wave(0.35, 6.0);
  Dice dice(6);
  const Readings readings = read_powermetrics(course, {}, dice);
  EXPECT_GT(readings.windows.size(), 50U);
  for (std::size_t index = 1; index < readings.windows.size(); ++index) {
    EXPECT_EQ(readings.windows[index].begin, readings.windows[index - 1].end);
  }
  const double truth =
      course.joules_until(end_s(readings)) - course.joules_until(begin_s(readings));
  EXPECT_NEAR(sum_j(readings), truth, 0.3);
}

}  // namespace
}  // namespace enprof::papers
