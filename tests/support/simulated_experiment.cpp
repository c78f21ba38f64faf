#include "support/simulated_experiment.hpp"

#include "experiment/forecast.hpp"

namespace enprof::testing {
namespace {

constexpr const char* kFirst = "first.gguf";
constexpr const char* kSecond = "second.gguf";
constexpr double kEnergy = 0.5;  // J

}  // namespace

SimulatedResult simulate(const SimulatedExperiment& experiment, std::uint64_t seed) {
  constexpr double kRunSeconds = 10.0;
  SimulatedMachine machine(seed, experiment.faults, kRunSeconds);
  machine.add_model(kFirst, kEnergy);
  machine.add_model(kSecond, kEnergy * (1.0 + experiment.difference));
  // With a warm-up after each change of the model: two short runs, which take as long here.
  machine.expect_duration(kRunSeconds * 2.0 * experiment.repeats * 2.5);
  const ExperimentDesign design{.name = "simulated",
                                .blocks = {PointBlock{.models = {kFirst, kSecond}}},
                                .repeats = experiment.repeats,
                                .seed = static_cast<std::uint32_t>(seed),
                                .precision = experiment.precision};
  ExperimentRunner runner(
      {.perform = [&](const RunTask& task, bool is_kept,
                      const std::stop_token&) { return machine.perform(task, is_kept); },
       .clock = &machine.clock()});
  const ExperimentOutcome outcome = runner.run(design, {});

  SimulatedResult result;
  const PointSummary summary = summary_of(outcome.points[0]);
  const auto& mean = summary.mean(kOutputTokenMeasure);
  const double truth = machine.true_energy(kFirst);
  result.mean_holds = mean && mean->half && std::abs(mean->mean - truth) <= *mean->half;
  std::vector<ProfiledRun> history;
  std::vector<RunSet> sets;
  for (const PointResult& point : outcome.points) {
    const PointSummary each = summary_of(point);
    result.runs += each.runs;
    result.left_out += each.disturbed + each.outliers;
    sets.push_back({.name = point.point.label, .runs = point.runs});
    history.insert(history.end(), point.runs.begin(), point.runs.end());
  }
  const Measure& measure = *find_measure(kOutputTokenMeasure);
  const Comparison comparison = compare_sets(sets[0], sets[1], {.same_machine = true});
  const MeasureChange& change = comparison.of(measure);
  if (change.change && change.half) {
    result.change_holds = std::abs(*change.change - experiment.difference) <= *change.half;
    result.is_found = std::abs(*change.change) > *change.half;
  }
  result.alarms = rule_on(comparison, measure, 0.0).judgement == Judgement::worse;
  result.spread = forecast_spread({kFirst, kSecond}, history).value_or(kAssumedSpread);
  return result;
}

SimulatedRates simulate_many(const SimulatedExperiment& experiment, int count,
                             std::uint64_t first_seed) {
  SimulatedRates rates;
  double runs = 0.0;
  double left_out = 0.0;
  double squares = 0.0;
  for (int index = 0; index < count; ++index) {
    const SimulatedResult result = simulate(experiment, first_seed + static_cast<unsigned>(index));
    rates.mean_holds += result.mean_holds ? 1.0 : 0.0;
    rates.change_holds += result.change_holds ? 1.0 : 0.0;
    rates.found += result.is_found ? 1.0 : 0.0;
    rates.alarms += result.alarms ? 1.0 : 0.0;
    runs += static_cast<double>(result.runs);
    left_out += static_cast<double>(result.left_out);
    squares += result.spread * result.spread;
  }
  const double percent = 100.0 / count;
  rates.mean_holds *= percent;
  rates.change_holds *= percent;
  rates.found *= percent;
  rates.alarms *= percent;
  rates.left_out = 100.0 * left_out / runs;
  rates.power = 100.0 * detection_power(std::sqrt(squares / count), experiment.repeats,
                                        experiment.difference);
  return rates;
}

}  // namespace enprof::testing
