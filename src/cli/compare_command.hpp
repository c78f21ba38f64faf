// enprof compare
#pragma once

#include "enprof/base/error.hpp"

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "experiment/comparison.hpp"
#include "experiment/comparison_report.hpp"
#include "experiment/run_labels.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Compares two runs, sets of repeated runs or experiments, and rules on a threshold.
class CompareCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  /// What a word names: points with their runs; one of them, unless it is an experiment.
  struct Named {
    std::string word;
    std::vector<PointRuns> points;
    bool is_experiment = false;
    bool is_from_files = false;
  };
  using Pairs = std::vector<std::pair<RunSet, RunSet>>;

  /// Opens the database when it is first needed: two files need none.
  [[nodiscard]] Result<ProfileDatabase*> database();
  [[nodiscard]] Result<ProfiledRun> stored(const std::string& run_id);
  [[nodiscard]] Result<std::vector<PointRuns>> experiment(const std::string& name);
  [[nodiscard]] Result<Named> find(const std::string& word);
  [[nodiscard]] Result<Named> find_point(const std::string& selector);
  [[nodiscard]] Result<Named> find_runs(const std::string& word);
  [[nodiscard]] static Result<Pairs> pair_up(Named a, Named b);
  [[nodiscard]] Result<std::vector<RuledComparison>> compare();

  std::string a_;
  std::string b_;
  std::string experiment_;
  std::optional<double> fail_above_;
  std::string measure_;
  bool same_machine_ = false;
  bool markdown_ = false;
  bool json_ = false;
  DatabaseOption database_option_;
  std::optional<ProfileDatabase> database_;
};

}  // namespace enprof
