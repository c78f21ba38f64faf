// enprof report
#pragma once

#include "enprof/base/error.hpp"

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "experiment/analysis/analysis.hpp"

#include <string>
#include <vector>

namespace enprof {

/// Answers questions about an experiment: in the terminal, as JSON, or as a page of its own.
class ReportCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> report() const;
  /// The analyses that are asked for, and the trend where the history has one.
  [[nodiscard]] Result<std::vector<Analysis>> analyze_all(ProfileDatabase& database,
                                                          const ExperimentData& data,
                                                          const AnalysisOptions& options) const;
  /// The facts of the models that --predict names.
  [[nodiscard]] Result<AnalysisOptions> options() const;

  std::string experiment_;
  std::vector<std::string> analyses_;
  std::vector<std::string> unknown_models_;
  std::string output_;
  bool estimates_ = false;
  bool json_ = false;
  bool force_ = false;
  DatabaseOption database_option_;
};

}  // namespace enprof
