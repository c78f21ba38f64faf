#include "experiment/analysis/pareto_front.hpp"

#include "experiment/analysis/analysis_test_support.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace enprof {
namespace {

using testing::data_of;
using testing::facts_of;
using testing::MadeUpPoint;

MadeUpPoint point_of(const std::string& label, double joules, double speed, double scatter = 0.001,
                     int repeats = 5) {
  return {.label = label,
          .model = facts_of(2, 128),
          .output_joules = joules,
          .tokens_per_second = speed,
          .repeats = repeats,
          .scatter = scatter};
}

std::map<std::string, ParetoState> states_of(const ExperimentData& data) {
  std::map<std::string, ParetoState> states;
  for (const ParetoPoint& each : pareto_front(data).points) {
    states[data.points[each.point].label] = each.state;
  }
  return states;
}

TEST(ParetoFront, APointThatIsSlowerAndDearerIsDominated) {
  const auto states = states_of(data_of({point_of("cheap", 1.0, 10.0), point_of("fast", 2.0, 20.0),
                                         point_of("bad", 2.5, 15.0), point_of("both", 1.5, 15.0)}));
  EXPECT_EQ(states.at("cheap"), ParetoState::front);
  EXPECT_EQ(states.at("fast"), ParetoState::front);
  EXPECT_EQ(states.at("both"), ParetoState::front);
  EXPECT_EQ(states.at("bad"), ParetoState::dominated);
}

TEST(ParetoFront, IntervalsThatTouchDecideNothing) {
  // Two points that scatter by ± 10 % and differ by 1 %: the second is worse by its means alone.
  auto a = point_of("a", 1.00, 10.0);
  auto b = point_of("b", 1.01, 9.9);
  const auto noisy = [](std::vector<ProfiledRun> runs, bool flipped) {
    for (std::size_t index = 0; index < runs.size(); ++index) {
      const double factor = 1.0 + ((index % 2 == 0) == flipped ? 0.1 : -0.1);
      runs[index].totals.energy_per_output_token =
          factor * *runs[index].totals.energy_per_output_token;
      *runs[index].totals.decode_tokens_per_second *= factor;
    }
    return runs;
  };
  a.repeats = b.repeats = 6;
  auto runs = noisy(testing::runs_of(a), false);
  for (ProfiledRun& run : noisy(testing::runs_of(b), true)) {
    runs.push_back(std::move(run));
  }
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  const ParetoFront front = pareto_front(data);
  ASSERT_EQ(front.points.size(), 2U);
  EXPECT_EQ(front.points[0].state, ParetoState::front);
  EXPECT_EQ(front.points[1].state, ParetoState::undecided);
  EXPECT_EQ(front.points[1].by, std::vector<std::size_t>{0});
}

TEST(ParetoFront, OneRunOfEachDecidesNothing) {
  const ExperimentData data =
      data_of({point_of("a", 1.0, 10.0, 0.0, 1), point_of("b", 2.0, 5.0, 0.0, 1)});
  const ParetoFront front = pareto_front(data);
  EXPECT_TRUE(front.lacks_repeats);
  EXPECT_EQ(front.points[1].state, ParetoState::undecided);
}

TEST(ParetoFront, ComparisonsShareTheirConfidence) {
  const ExperimentData data =
      data_of({point_of("a", 1.0, 10.0), point_of("b", 2.0, 20.0), point_of("c", 3.0, 30.0)});
  EXPECT_NEAR(pareto_front(data).confidence, 1.0 - 0.05 / 3.0, 1e-12);
  EXPECT_TRUE(pareto_front(ExperimentData{}).points.empty());
}

}  // namespace
}  // namespace enprof
