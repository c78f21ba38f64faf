// enprof bench
#pragma once

#include "enprof/base/error.hpp"

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "experiment/design.hpp"
#include "experiment/experiment_runner.hpp"
#include "session/session_power.hpp"

#include <cstdint>
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
  void declare_points(CLI::App& app);
  void declare_power(CLI::App& app);
  void declare_result(CLI::App& app);
  /// The design by the options.
  [[nodiscard]] Result<ExperimentDesign> design_of_options() const;
  /// The design that runs of the experiment to be resumed have.
  [[nodiscard]] Result<ExperimentDesign> design_of_runs(const std::vector<ProfiledRun>& runs) const;
  /// Finds the models; a name that is none stays, and fails when it is its turn.
  static void find_models(ExperimentDesign& design);
  [[nodiscard]] Result<void> dry_run(const ExperimentDesign& design) const;
  [[nodiscard]] SessionPower::Options power_options() const;
  [[nodiscard]] std::string result_text(const ExperimentDesign& design,
                                        const ExperimentOutcome& outcome) const;
  [[nodiscard]] int measure(const ExperimentDesign& design, ProfileDatabase& database,
                            std::vector<ProfiledRun> earlier);

  std::vector<CLI::Option*> design_options_;  // owned by the program
  CLI::Option* repeats_option_ = nullptr;
  CLI::Option* precision_option_ = nullptr;
  std::vector<std::string> models_;
  std::vector<std::string> prompts_{"512"};
  std::vector<std::string> outputs_{"128"};
  std::vector<std::string> threads_;
  std::vector<std::string> batches_;
  std::vector<std::string> micro_batches_;
  std::vector<std::string> gpu_layers_;
  int repeats_ = 5;
  std::uint32_t seed_ = 0;
  std::optional<double> precision_pct_;
  std::optional<double> budget_s_;
  std::string experiment_;
  std::string resume_;
  bool dry_run_ = false;
  std::string depth_ = "minimal";
  std::vector<std::string> tags_;
  std::string power_ = "auto";
  PowerIntervalOption power_interval_;
  SensorAccuracyOption sensor_accuracy_;
  double baseline_s_ = 2.0;
  bool baseline_force_ = false;
  std::string output_ = "md";
  DatabaseOption database_option_;
};

}  // namespace enprof
