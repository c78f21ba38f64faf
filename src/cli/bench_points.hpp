// The points of an experiment, as the options of enprof bench or a plan name them.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "experiment/design.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// An experiment that is to be done.
struct BenchRequest {
  ExperimentDesign design{};
  std::vector<std::string> tags{};
  std::optional<double> budget_s{};
  std::optional<double> price_usd_per_kwh{};
};

/// The options that name points, repeats and quality, and the plan.
class BenchPoints {
 public:
  void declare(CLI::App& app);

  /// The experiment of the options, or of the plan with what the options change. `name` is its
  /// name, empty: the plan's, or a new one. Errors: invalid_argument; those of a plan.
  [[nodiscard]] Result<BenchRequest> request(const std::string& name) const;
  /// The experiment to be resumed, which its runs describe, with the repeats and precision of the
  /// options. Errors: invalid_argument for an option that would change its points; not_found;
  /// unsupported; malformed.
  [[nodiscard]] Result<BenchRequest> request_of(const std::string& name,
                                                const std::vector<ProfiledRun>& runs) const;

 private:
  void declare_axes(CLI::App& app);
  void declare_repeats(CLI::App& app);
  void declare_quality(CLI::App& app);
  /// Refuses an option that was given, with this reason.
  [[nodiscard]] Result<void> refuse_options(const std::string& reason,
                                            const std::string& hint) const;
  [[nodiscard]] Result<ExperimentDesign> design_of_options() const;
  [[nodiscard]] Result<std::vector<PointBlock>> pairs_of(const PointBlock& block) const;
  void apply(BenchRequest& request) const;

  std::vector<CLI::Option*> point_options_;  // owned by the program
  CLI::Option* repeats_option_ = nullptr;
  CLI::Option* seed_option_ = nullptr;
  std::string plan_;
  std::vector<std::string> models_;
  std::vector<std::vector<std::string>> axis_words_;  // as axes()
  std::vector<std::string> pairs_;
  int repeats_ = 5;
  std::uint32_t seed_ = 0;
  std::optional<double> precision_pct_;
  std::optional<double> budget_s_;
  std::string quality_text_;
  std::string quality_reference_;
  std::optional<int> quality_chunks_;
};

}  // namespace enprof
