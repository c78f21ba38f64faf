#include "profile/assemble/calibrated_priors.hpp"

#include "attribution/replay_powers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

namespace enprof {
namespace {

using std::chrono::milliseconds;

CalibratedClass measured(Phase phase, const char* component, const char* op, double watts,
                         int pass_ms, int replayed_ms) {
  return {.phase = phase,
          .component = component,
          .op = op,
          .operations = 8,
          .pass_time = milliseconds{pass_ms},
          .replayed_time = milliseconds{replayed_ms},
          .powers = {CalibratedClass::Power{.power = Watts{watts}, .deviation = 0.01, .windows = 9},
                     std::nullopt}};
}

Calibration calibration() {
  Calibration result;
  result.key.domains = {"package-0", "dram-0"};
  result.classes = {measured(Phase::decode, "q_proj", "MUL_MAT", 60.0, 3, 3),
                    measured(Phase::decode, "q_proj", "ROPE", 40.0, 1, 1),
                    measured(Phase::decode, "down_proj", "MUL_MAT", 50.0, 10, 8),
                    measured(Phase::prefill, "q_proj", "MUL_MAT", 80.0, 30, 30)};
  return result;
}

ClassPriors priors(const std::vector<SpanClass>& classes, const char* domain = "package-0") {
  std::vector<const SpanClass*> pointers;
  for (const SpanClass& one : classes) {
    pointers.push_back(&one);
  }
  return priors_of(calibration(), domain, pointers);
}

TEST(CalibratedPriors, AreThoseOfTheSamePhaseComponentAndOperation) {
  const auto found = priors({{Phase::decode, "q_proj", "ROPE"},
                             {Phase::prefill, "q_proj", "MUL_MAT"},
                             {Phase::prefill, "q_proj", "ROPE"},
                             {Phase::decode, "(self)", ""}});
  ASSERT_TRUE(found[0] && found[1]);
  EXPECT_DOUBLE_EQ(found[0]->watts, 40.0);
  EXPECT_DOUBLE_EQ(found[1]->watts, 80.0);
  EXPECT_NEAR(found[0]->deviation, std::hypot(0.01, kReplayDeviation), 1e-12);
  EXPECT_FALSE(found[2]);
  EXPECT_FALSE(found[3]);
}

TEST(CalibratedPriors, AComponentHasTheMeanOfItsOperationsByTime) {
  const auto found = priors({{Phase::decode, "q_proj", ""}});
  ASSERT_TRUE(found[0]);
  EXPECT_NEAR(found[0]->watts, 55.0, 1e-9);
}

TEST(CalibratedPriors, AnotherSpeedMakesThePowerLessCertain) {
  const auto found = priors({{Phase::decode, "down_proj", "MUL_MAT"}});
  ASSERT_TRUE(found[0]);
  EXPECT_NEAR(found[0]->deviation, std::hypot(0.01, kReplayDeviation, 0.5 * std::log(0.8)), 1e-9);
}

TEST(CalibratedPriors, ADomainThatWasNotMeasuredHasNone) {
  for (const char* const domain : {"dram-0", "gpu-0"}) {
    EXPECT_FALSE(priors({{Phase::decode, "q_proj", "ROPE"}}, domain)[0]) << domain;
  }
}

}  // namespace
}  // namespace enprof
