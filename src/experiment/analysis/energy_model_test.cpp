#include "experiment/analysis/energy_model.hpp"

#include "experiment/analysis/analysis_test_support.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace enprof {
namespace {

using testing::data_of;
using testing::facts_of;
using ::testing::HasSubstr;
using testing::MadeUpPoint;

constexpr double kPerByte = 40e-12;
constexpr double kPerFlop = 3e-12;

/// Models of many sizes and types whose tokens cost exactly that much, times 1 ± scatter.
std::vector<MadeUpPoint> machine(std::size_t models, double scatter) {
  std::vector<MadeUpPoint> points;
  std::mt19937 random(3);
  std::normal_distribution<double> noise(0.0, std::max(scatter, 1e-12));
  const std::vector<std::pair<double, std::string>> types{
      {8.5, "Q8_0"}, {4.5, "Q4_0"}, {16.0, "F16"}};
  for (std::size_t index = 0; index < models; ++index) {
    const auto& [bits, type] = types[index % types.size()];
    const auto step = static_cast<int>(index);
    const ModelFacts facts = facts_of(4 + 2 * step, 256 + 64 * (step % 4), bits, type);
    MadeUpPoint point{.label = fmt::format("m{}.gguf p512 n128", index), .model = facts};
    const double factor = 1.0 + noise(random);
    const TokenWork output = decode_work(facts, 512.0 + 64.0).value();
    const TokenWork input = prefill_work(facts, 512.0, 512.0).value();
    point.output_joules = factor * (kPerByte * output.bytes() + kPerFlop * output.flops);
    point.input_joules = factor * (kPerByte * input.bytes() + kPerFlop * input.flops);
    points.push_back(point);
  }
  return points;
}

TEST(EnergyModel, FindsTheCostsThatMadeTheEnergies) {
  std::string lacks;
  const auto model = fit_energy_model(data_of(machine(9, 0.0)), TokenKind::output, lacks).value();
  EXPECT_NEAR(model.coefficients[0], kPerByte, 0.01 * kPerByte);
  EXPECT_NEAR(model.coefficients[1], kPerFlop, 0.05 * kPerFlop);
  EXPECT_LT(model.mean_error, 0.001);
  EXPECT_TRUE(model.does_hold);
  const ModelFacts other = facts_of(50, 512, 8.5);
  const TokenWork work = decode_work(other, 1000.0).value();
  const Predicted predicted = model.predict(work);
  EXPECT_NEAR(predicted.joules, kPerByte * work.bytes() + kPerFlop * work.flops,
              0.01 * predicted.joules);
}

TEST(EnergyModel, IntervalsHoldModelsThatDidNotRun) {
  std::string lacks;
  const auto model = fit_energy_model(data_of(machine(12, 0.04)), TokenKind::output, lacks).value();
  EXPECT_LT(model.mean_error, 0.10);
  EXPECT_GT(model.mean_error, 0.005);
  EXPECT_GE(model.held, 0.9);
  EXPECT_TRUE(model.does_hold);
  EXPECT_EQ(model.left_out.size(), 12U);
  EXPECT_EQ(model.models, 12U);
  for (const LeftOut& each : model.left_out) {
    EXPECT_GT(each.predicted.half, 0.0);
  }
}

TEST(EnergyModel, EnergiesThatWorkDoesNotExplainAreNotPromised) {
  std::vector<MadeUpPoint> points = machine(8, 0.0);
  for (std::size_t index = 0; index < points.size(); ++index) {
    points[index].output_joules *= index % 2 == 0 ? 0.4 : 2.5;
  }
  std::string lacks;
  const auto model = fit_energy_model(data_of(points), TokenKind::output, lacks);
  ASSERT_TRUE(model);
  EXPECT_FALSE(model->does_hold);
  EXPECT_GT(model->mean_error, 0.3);
}

TEST(EnergyModel, PointsOfOneModelAreLeftOutTogether) {
  std::vector<MadeUpPoint> points;
  for (const MadeUpPoint& point : machine(4, 0.03)) {
    for (const std::size_t prompt : {128U, 512U}) {
      MadeUpPoint each = point;
      each.prompt_tokens = prompt;
      each.label = fmt::format("{} p{} n128", point.label.substr(0, 7), prompt);
      points.push_back(each);
    }
  }
  std::string lacks;
  const auto model = fit_energy_model(data_of(points), TokenKind::output, lacks).value();
  EXPECT_EQ(model.models, 4U);
  EXPECT_EQ(model.left_out.size(), 8U);
  EXPECT_DOUBLE_EQ(model.freedom, 4.0);
}

TEST(EnergyModel, TwoModelsAreTooFew) {
  std::string lacks;
  EXPECT_FALSE(fit_energy_model(data_of(machine(2, 0.0)), TokenKind::output, lacks));
  EXPECT_THAT(lacks, HasSubstr("2 models with a known shape"));
}

}  // namespace
}  // namespace enprof
