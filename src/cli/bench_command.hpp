// enprof bench
#pragma once

#include "enprof/base/error.hpp"

#include "cli/bench_points.hpp"
#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "experiment/design.hpp"
#include "experiment/experiment_runner.hpp"
#include "session/session_power.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Measures models and settings against each other: an experiment.
class BenchCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  void declare_power(CLI::App& app);
  void declare_result(CLI::App& app);
  /// Finds the models; a name that is none stays, and fails when it is its turn.
  static void find_models(ExperimentDesign& design);
  [[nodiscard]] Result<void> dry_run(const BenchRequest& request) const;
  [[nodiscard]] SessionPower::Options power_options() const;
  [[nodiscard]] std::string result_text(const ExperimentDesign& design,
                                        const ExperimentOutcome& outcome) const;
  [[nodiscard]] int measure(const BenchRequest& request, ProfileDatabase& database,
                            std::vector<ProfiledRun> earlier);
  /// Says what has ended the experiment early, and returns the exit code.
  [[nodiscard]] int end_of(const BenchRequest& request, const ExperimentOutcome& outcome) const;

  BenchPoints points_;
  std::string experiment_;
  std::string resume_;
  bool dry_run_ = false;
  std::string depth_ = "minimal";
  std::vector<std::string> tags_;
  std::optional<double> price_;
  std::string power_ = "auto";
  PowerIntervalOption power_interval_;
  SensorAccuracyOption sensor_accuracy_;
  double baseline_s_ = 2.0;
  bool baseline_force_ = false;
  std::string output_ = "md";
  DatabaseOption database_option_;
};

}  // namespace enprof
