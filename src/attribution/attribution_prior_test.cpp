#include "attribution/attribution.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;

Instant at(int ms) { return Instant{} + milliseconds{ms}; }

/// Two kinds of work that take turns of 5 ms, in windows of 100 ms of 75 W.
struct Turns {
  std::vector<Span> spans;
  std::vector<std::uint32_t> classes;
  std::vector<EnergyWindow> windows;

  Turns() {
    constexpr int kEnd = 2000;
    add({.begin = at(0), .end = at(kEnd), .parent = Span::kNone, .level = Level::run}, kNoClass);
    for (int ms = 0; ms < kEnd; ms += 5) {
      add({.begin = at(ms), .end = at(ms + 5), .parent = 0, .level = Level::operation},
          ms / 5 % 2 == 0 ? 0U : 1U);
    }
    for (int ms = 0; ms < kEnd; ms += 100) {
      windows.push_back({.begin = at(ms), .end = at(ms + 100), .energy = Joules{7.5}});
    }
  }
  void add(const Span& span, std::uint32_t given) {
    spans.push_back(span);
    classes.push_back(given);
  }

  struct Energies {
    EnergyShare first;
    EnergyShare second;
    std::optional<double> factor;
  };
  [[nodiscard]] Energies attribute_with(
      const std::vector<std::optional<PriorPower>>& priors) const {
    const std::vector<EnergyTimeline> timelines{EnergyTimeline(windows, Nanoseconds{0})};
    const SpanGroups groups{.of_span = classes, .count = 2};
    const Attribution attribution = attribute(
        spans, timelines, {.classes = classes, .groupings = {&groups, 1}, .priors = {&priors, 1}});
    return {.first = attribution.group(0, 0)[0],
            .second = attribution.group(0, 1)[0],
            .factor = attribution.class_powers(0).prior_factor};
  }
};

TEST(AttributionPrior, EnergyFollowsTheCalibratedPowers) {
  const auto found = Turns{}.attribute_with(
      {PriorPower{.watts = 45.0, .deviation = 0.03}, PriorPower{.watts = 30.0, .deviation = 0.03}});
  EXPECT_NEAR(found.first.energy.value() / found.second.energy.value(), 1.5, 1e-6);
  EXPECT_NEAR((found.first.energy + found.second.energy).value(), 150.0, 1e-9);  // all of it
  ASSERT_TRUE(found.factor);
  EXPECT_NEAR(*found.factor, 2.0, 1e-6);
  // Two independent deviations of 3 %: (1−φ) φ √(0.03² + 0.03²) of the whole.
  const double error = std::sqrt(found.first.variance);
  EXPECT_NEAR(error, 0.24 * 0.03 * std::sqrt(2.0) * 150.0, 0.3);
}

TEST(AttributionPrior, WithoutACalibrationBothAreAlikeAndTheErrorIsWide) {
  const auto found = Turns{}.attribute_with({std::nullopt, std::nullopt});
  EXPECT_NEAR(found.first.energy.value() / found.second.energy.value(), 1.0, 1e-6);
  EXPECT_GT(std::sqrt(found.first.variance), 10.0);
  EXPECT_FALSE(found.factor);
}

TEST(AttributionPrior, AClassWithoutAPriorKeepsItsMean) {
  const auto found =
      Turns{}.attribute_with({PriorPower{.watts = 45.0, .deviation = 0.03}, std::nullopt});
  EXPECT_NEAR((found.first.energy + found.second.energy).value(), 150.0, 1e-9);
  EXPECT_NEAR(found.first.energy.value(), 75.0, 1.0);
}

}  // namespace
}  // namespace enprof
