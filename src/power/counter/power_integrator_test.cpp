#include "power/counter/power_integrator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{1h};

/// Polls a sensor that updates its value periodically, and keeps the windows.
class PowerIntegratorTest : public ::testing::Test {
 protected:
  using Power = std::function<double(double seconds)>;

  void poll(PowerIntegrator& integrator, const Power& shown, Nanoseconds every, Nanoseconds until) {
    for (; now_ <= until; now_ += every) {
      integrator.read(Watts{shown(seconds(now_))}, kBegin + now_, 3, windows_);
    }
  }
  [[nodiscard]] double energy() const {
    double sum = 0;
    for (const EnergyWindow& window : windows_) {
      sum += window.energy.value();
    }
    return sum;
  }
  /// How long windows follow each other without a gap, from the begin.
  [[nodiscard]] Nanoseconds covered() const {
    Instant end = kBegin;
    for (const EnergyWindow& window : windows_) {
      EXPECT_EQ(window.begin, end);
      EXPECT_EQ(window.domain, 3);
      end = window.end;
    }
    return end - kBegin;
  }

  Nanoseconds now_{0};
  std::vector<EnergyWindow> windows_;
};

/// The value of a sensor that measures every 100 ms.
double renewed(double time) { return std::floor(time * 10 + 1e-9) / 10; }

TEST_F(PowerIntegratorTest, OneReadingIsNoWindow) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  integrator.read(Watts{50}, kBegin, 3, windows_);
  EXPECT_TRUE(windows_.empty());
}

TEST_F(PowerIntegratorTest, ARampIsIntegratedExactly) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  const auto ramp = [](double time) { return 100 + 50 * time; };
  poll(integrator, ramp, 20ms, 4s);
  EXPECT_EQ(covered(), 4s);
  EXPECT_NEAR(energy(), 4 * (100 + 50 * 2), 1e-9);
}

TEST_F(PowerIntegratorTest, FallingPowerCountsAsMuchAsRising) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  const auto triangle = [](double time) { return 100 + 80 * std::abs(time - 2); };
  poll(integrator, triangle, 10ms, 4s);
  EXPECT_NEAR(energy(), 4 * 100 + 80 * 4, 0.1);
}

TEST_F(PowerIntegratorTest, WindowsFollowTheSensorAndNotThePolling) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  const auto ramp = [](double time) { return 100 + 50 * renewed(time); };
  poll(integrator, ramp, 10ms, 4s);
  EXPECT_EQ(covered(), 4s);
  EXPECT_EQ(windows_.size(), 40U) << "one per update, not one per poll";
  EXPECT_NEAR(energy(), 4 * (100 + 50 * 2), 4 * 50 * 0.1) << "at most one update late";
}

TEST_F(PowerIntegratorTest, AValueThatStaysIsTakenForATrueOneAfterAWhile) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  poll(integrator, [](double) { return 75.0; }, 10ms, 1s);
  EXPECT_EQ(covered(), 1s);
  EXPECT_EQ(windows_.size(), 5U);
  EXPECT_NEAR(energy(), 75, 1e-9);
}

// Without the time between updates, half of the long flat part would count as a ramp.
TEST_F(PowerIntegratorTest, AJumpAfterALongFlatPartIsAsSteepAsTheSensorCanSee) {
  PowerIntegrator integrator({.longest_hold = 10s});
  const auto shown = [](double time) {
    return time < 1 ? 100 + renewed(time) : time < 5 ? 200.0 : 400.0;
  };
  poll(integrator, shown, 10ms, 6s);
  EXPECT_EQ(covered(), 5s);
  const double flat = 200 * 3.9 + (200 + 400) / 2.0 * 0.1;
  const double before = 100 * 0.9 + 0.45 * 0.9 + (100.9 + 200) / 2 * 0.1;
  EXPECT_NEAR(energy(), before + flat, 0.1);
}

TEST_F(PowerIntegratorTest, AFailedReadingIsBridgedAndManyAreAGap) {
  PowerIntegrator integrator({.longest_hold = 200ms});
  const auto ramp = [](double time) { return 100 + 10 * time; };
  poll(integrator, ramp, 100ms, 1s);
  integrator.miss();
  now_ += 100ms;
  poll(integrator, ramp, 100ms, 2s);
  EXPECT_EQ(covered(), 2s);
  EXPECT_NEAR(energy(), 2 * 110, 1e-9);

  for (int count = 0; count <= PowerIntegrator::kForgiven; ++count) {
    integrator.miss();
    now_ += 100ms;
  }
  windows_.clear();
  const Instant back = kBegin + now_;
  poll(integrator, ramp, 100ms, now_ + 100ms);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_EQ(windows_[0].begin, back) << "the time before is not known";
}

TEST_F(PowerIntegratorTest, AMeanCountsForItsOwnWindow) {
  PowerIntegrator integrator({.averaging = 1s, .longest_hold = 200ms});
  // Power jumps from 100 to 300 W at 2.5 s; the sensor shows the mean over the last second.
  const auto mean = [](double time) {
    const double seen = renewed(time);
    return 100 + 200 * std::clamp(seen - 2.5, 0.0, 1.0);
  };
  poll(integrator, mean, 20ms, 5s);
  EXPECT_GE(covered(), 4s);
  EXPECT_GE(windows_.size(), 4U);
  EXPECT_LE(windows_.size(), 5U);
  const double truth = 100 * seconds(covered()) + 200 * (seconds(covered()) - 2.5);
  EXPECT_NEAR(energy(), truth, 0.3 * 200) << "windows are at most 0.3 s longer than the mean's";
}

TEST_F(PowerIntegratorTest, AMeanSaysNothingOfWhatWasBeforeItsWindow) {
  PowerIntegrator integrator({.averaging = 1s, .longest_hold = 200ms});
  integrator.read(Watts{100}, kBegin, 3, windows_);
  integrator.read(Watts{200}, kBegin + 5s, 3, windows_);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_EQ(windows_[0].begin, kBegin + 4s);
  EXPECT_EQ(windows_[0].end, kBegin + 5s);
}

}  // namespace
}  // namespace enprof
