// A machine that experiments are done on without time passing: it drifts, throttles, is used by
// others, and has outliers. Design, runner, verdicts and analysis are the real ones.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "experiment/comparison.hpp"
#include "experiment/experiment_runner.hpp"
#include "experiment/point_summary.hpp"
#include "support/manual_clock.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace enprof::testing {

/// What is planted. Shares are relative.
struct PlantedFaults {
  double spread = 0.01;           ///< standard deviation of a run
  double scale = 0.02;            ///< standard uncertainty of the sensor, one error an experiment
  double attribution = 0.003;     ///< standard error of a run, independent
  double trend = 0.02;            ///< energy drifts by up to so much over the experiment
  double wander = 0.003;          ///< and by a random walk of this standard deviation a round
  double throttled = 0.03;        ///< probability of a run to be slowed down by heat
  double throttling_seen = 0.95;  ///< that the machine tells of it
  double loaded = 0.06;           ///< that another program uses the CPUs
  double outliers = 0.02;         ///< that a run takes 10 to 60 % more, for no visible reason
};

/// Simulates the runs of an experiment on one machine.
class SimulatedMachine {
 public:
  SimulatedMachine(std::uint64_t seed, const PlantedFaults& faults, double run_seconds = 10.0)
      : random_(seed), faults_(faults), run_seconds_(run_seconds) {
    scale_ = 1.0 + faults_.scale * normal();
    trend_ = faults_.trend * (2.0 * uniform() - 1.0);
  }

  /// How long the experiment will about take: over this time the trend passes.
  void expect_duration(double seconds) { expected_seconds_ = seconds; }
  /// Energy per output token of a model, in joules, by its name.
  void add_model(std::string name, double joules) { models_.emplace_back(std::move(name), joules); }
  [[nodiscard]] const Clock& clock() const { return clock_; }

  RunOutcome perform(const RunTask& task, bool is_kept) {
    constexpr double kDecodeShare = 0.8;
    const double seconds_now = seconds(clock_.now() - begin_);
    if (is_kept) {
      wander_ += faults_.wander * normal() / 2.0;  // two points a round
    }
    const double drift =
        1.0 + trend_ * (std::min(seconds_now / expected_seconds_, 1.0) - 0.5) + wander_;
    run_ = {};
    run_.run_id = task.tags.empty() ? "warm" : std::to_string(++count_);
    run_.status = RunStatus::completed;
    run_.tags = task.tags;
    run_.experiment = task.experiment;
    run_.model.name = task.model;
    run_.model.path = task.model;
    double slower = 1.0 + 0.5 * faults_.spread * normal();
    double more = 1.0 + faults_.spread * normal() + faults_.attribution * normal();
    Quality& quality = run_.totals.figure.quality;
    quality.foreign_cpu_share = 0.005 * uniform();
    if (uniform() < faults_.throttled) {
      slower *= 1.1 + 0.2 * uniform();
      more *= 1.03 + 0.1 * uniform();
      if (uniform() < faults_.throttling_seen) {
        run_.warnings.push_back({"machine", "cpu_throttled", "hot", ""});
      }
    }
    if (uniform() < faults_.loaded) {
      const double share = 0.05 + 0.4 * uniform();
      quality.foreign_cpu_share = share;
      more *= 1.0 + 0.5 * share;
      slower *= 1.0 + 0.5 * share;
    }
    if (uniform() < faults_.outliers) {
      const double far = 1.1 + 0.5 * uniform();
      more *= far;
      slower *= far;
    }
    const double truth = joules_of(task.model);
    const double tokens = task.generate.max_tokens;
    const double per_token = truth * scale_ * drift * more;
    const double duration = run_seconds_ * slower;
    fill(tokens, per_token, duration, kDecodeShare);
    judge_run(run_);
    clock_.advance(from_ms(1e3 * duration));
    if (is_kept) {
      drifts_.push_back(drift);
    }
    return {.run = &run_, .has_begun = true};
  }

  /// What the energy per token was on the mean over the experiment: the truth.
  [[nodiscard]] double true_energy(const std::string& model) const {
    double sum = 0.0;
    for (const double drift : drifts_) {
      sum += drift;
    }
    return joules_of(model) * sum / static_cast<double>(std::max<std::size_t>(drifts_.size(), 1));
  }

 private:
  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1p-53; }
  // Box and Muller; std::normal_distribution differs between standard libraries.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  [[nodiscard]] double joules_of(const std::string& model) const {
    const auto found = std::ranges::find(models_, model, &std::pair<std::string, double>::first);
    return found == models_.end() ? 1.0 : found->second;
  }
  void fill(double tokens, double per_token, double duration, double decode_share) {
    const auto figure = [&](Figure& each, double joules, double length) {
      each.duration = from_ms(1e3 * length);
      each.total = Joules{joules};
      each.mean_power = Watts{joules / length};
      each.quality.sensor = "rapl";
      each.quality.method = Method::measured;
      each.quality.coverage = 1.0;
      each.quality.resolution = 1000.0;
      each.quality.standard_error = Joules{faults_.attribution * joules};
      each.quality.standard_uncertainty =
          Joules{std::hypot(faults_.attribution, faults_.scale) * joules};
    };
    const double decode = per_token * tokens;
    Totals& totals = run_.totals;
    const auto foreign = totals.figure.quality.foreign_cpu_share;
    figure(totals.figure, decode / decode_share, duration);
    totals.figure.quality.foreign_cpu_share = foreign;
    totals.figure.baseline = Joules{0.2 * decode};
    totals.figure.dynamic = *totals.figure.total - *totals.figure.baseline;
    PhaseFigure& phase = run_.phases.emplace_back();
    phase.phase = Phase::decode;
    figure(phase.figure, decode, decode_share * duration);
    totals.prompt_tokens = 512;
    totals.output_tokens = static_cast<std::size_t>(tokens);
    totals.energy_per_output_token = Joules{per_token};
    totals.decode_tokens_per_second = tokens / (decode_share * duration);
    totals.prefill_tokens_per_second = 512.0 / ((1.0 - decode_share) * duration);
    DomainFigure& domain = run_.power.domains.emplace_back();
    domain.domain.name = "package-0";
    domain.domain.source = "rapl";
    domain.domain.relative_uncertainty = faults_.scale;
    domain.figure = totals.figure;
    run_.power.baseline = BaselineFigure{.power = Watts{1.0}};
  }

  std::mt19937_64 random_;
  PlantedFaults faults_;
  double run_seconds_;
  double expected_seconds_ = 1.0;
  double scale_ = 1.0;
  double trend_ = 0.0;
  double wander_ = 0.0;
  ManualClock clock_;
  Instant begin_ = clock_.now();
  std::vector<std::pair<std::string, double>> models_;
  std::vector<double> drifts_;
  ProfiledRun run_;
  int count_ = 0;
};

/// What one simulated experiment says, of two points whose energies differ by a known amount.
struct SimulatedResult {
  bool mean_holds = false;    ///< the first point's interval holds its true energy
  bool change_holds = false;  ///< the comparison's interval holds the true difference
  bool is_found = false;      ///< it leaves out zero
  bool alarms = false;        ///< --fail-above 0 % would fail
  std::size_t runs = 0;
  std::size_t left_out = 0;  ///< disturbed, or outliers
  double spread = 0.0;       ///< the forecast that the runs would give to the next experiment
};

struct SimulatedExperiment {
  double difference = 0.0;  ///< of the second model, relative
  int repeats = 10;
  std::optional<double> precision{};
  PlantedFaults faults{};
};

[[nodiscard]] SimulatedResult simulate(const SimulatedExperiment& experiment, std::uint64_t seed);

/// Over many experiments, in per cent.
struct SimulatedRates {
  double mean_holds = 0.0;
  double change_holds = 0.0;
  double found = 0.0;
  double alarms = 0.0;
  double left_out = 0.0;  ///< of the runs
  double power = 0.0;     ///< that the dry run of such an experiment predicts for its difference
};
[[nodiscard]] SimulatedRates simulate_many(const SimulatedExperiment& experiment, int count,
                                           std::uint64_t first_seed);

}  // namespace enprof::testing
