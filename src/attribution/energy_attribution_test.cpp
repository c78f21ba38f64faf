#include "enprof/attribution/energy_attribution.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;

Instant at_ms(int milliseconds) { return Instant{std::chrono::milliseconds{milliseconds}}; }

/// A run of 100 ms at 20 W, then 30 W: two phases, the second with a section in it.
class EnergyAttributionTest : public ::testing::Test {
 protected:
  EnergyAttributionTest() {
    for (int begin = 0; begin < 100; begin += 10) {
      const double watts = begin < 40 ? 20.0 : 30.0;
      windows_[0].push_back({.domain = 0,
                             .begin = at_ms(begin),
                             .end = at_ms(begin + 10),
                             .energy = Joules{watts * 0.01}});
    }
  }
  [[nodiscard]] AttributionRequest request() const {
    return {
        .domains = domains_, .windows = windows_, .spans = spans_, .classes = {}, .idle_power = {}};
  }

  std::vector<Domain> domains_{domain_from_name("package-0")};
  WindowsByDomain windows_{1};
  std::vector<Span> spans_{
      {.begin = at_ms(0), .end = at_ms(100), .level = Level::run},
      {.begin = at_ms(0), .end = at_ms(40), .parent = 0, .level = Level::phase},
      {.begin = at_ms(40),
       .end = at_ms(100),
       .parent = 0,
       .level = Level::phase,
       .phase = Phase::decode},
      {.begin = at_ms(50),
       .end = at_ms(60),
       .parent = 2,
       .level = Level::section,
       .phase = Phase::decode}};
};

TEST_F(EnergyAttributionTest, GivesEachSpanItsEnergyAndConservesIt) {
  const auto energy = attribute_energy(request());
  ASSERT_TRUE(energy) << energy.error().message;
  ASSERT_EQ(energy->spans.size(), 4U);
  EXPECT_NEAR(energy->spans[0].total->value(), 2.6, 1e-12);
  EXPECT_NEAR(energy->spans[1].total->value(), 0.8, 1e-12);
  EXPECT_NEAR(energy->spans[2].total->value(), 1.8, 1e-12);
  EXPECT_NEAR(energy->spans[3].total->value(), 0.3, 1e-12);
  EXPECT_NEAR(energy->own[2].total->value(), 1.5, 1e-12);
  EXPECT_EQ(energy->own[2].duration, std::chrono::milliseconds{50});
  double sum = 0.0;
  for (const Figure& own : energy->own) {
    sum += own.total.value_or(Joules{0}).value();
  }
  EXPECT_NEAR(sum, energy->spans[0].total->value(), 1e-12);
  EXPECT_DOUBLE_EQ(energy->spans[0].quality.coverage, 1.0);
}

TEST_F(EnergyAttributionTest, SplitsWhatIsKnownOfIdlePower) {
  const std::vector<std::optional<Watts>> idle{Watts{5.0}};
  AttributionRequest with_idle = request();
  with_idle.idle_power = idle;
  const auto energy = attribute_energy(with_idle);
  ASSERT_TRUE(energy);
  EXPECT_NEAR(energy->spans[0].baseline->value(), 0.5, 1e-12);
  EXPECT_NEAR(energy->spans[0].dynamic->value(), 2.1, 1e-12);
}

TEST_F(EnergyAttributionTest, OfWhatWasNotMeasuredThereIsNoEnergy) {
  windows_[0].clear();
  const auto energy = attribute_energy(request());
  ASSERT_TRUE(energy);
  EXPECT_FALSE(energy->spans[0].total);
  EXPECT_EQ(energy->spans[0].duration, std::chrono::milliseconds{100});
}

TEST_F(EnergyAttributionTest, CountsWindowsThatCannotBe) {
  windows_[0].push_back({.domain = 0, .begin = at_ms(5), .end = at_ms(5), .energy = Joules{1}});
  windows_[0].push_back(
      {.domain = 0, .begin = at_ms(5), .end = at_ms(6), .energy = Joules{std::nan("")}});
  const auto energy = attribute_energy(request());
  ASSERT_TRUE(energy);
  EXPECT_EQ(energy->rejected_windows, 2U);
  EXPECT_NEAR(energy->spans[0].total->value(), 2.6, 1e-12);
}

TEST_F(EnergyAttributionTest, RefusesWhatRefersToNothing) {
  const auto message = [&](const AttributionRequest& wrong) {
    const auto energy = attribute_energy(wrong);
    EXPECT_FALSE(energy);
    return energy ? std::string{} : energy.error().message;
  };
  const std::vector<std::uint32_t> classes{0, 1};
  AttributionRequest wrong = request();
  wrong.classes = classes;
  EXPECT_THAT(message(wrong), HasSubstr("2 classes for 4 spans"));
  const std::vector<std::optional<Watts>> idle(2);
  wrong = request();
  wrong.idle_power = idle;
  EXPECT_THAT(message(wrong), HasSubstr("2 idle powers for 1 domains"));
  windows_.emplace_back();
  EXPECT_THAT(message(request()), HasSubstr("2 lists of windows for 1 domains"));
  windows_.pop_back();
  spans_[1].parent = 1;
  EXPECT_THAT(message(request()), HasSubstr("Span 1 has the parent 1"));
  spans_[1].parent = -5;
  EXPECT_THAT(message(request()), HasSubstr("parent -5"));
}

}  // namespace
}  // namespace enprof
