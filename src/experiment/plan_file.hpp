// A plan of an experiment: a TOML file, for what a command line cannot say. docs/experiments.md has
// its format.
#pragma once

#include "enprof/base/error.hpp"

#include "experiment/design.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// What a plan says; what it leaves out is empty.
struct ExperimentPlan {
  ExperimentDesign design{};
  std::vector<std::string> tags{};
  std::optional<double> budget_s{};
  std::optional<double> price_usd_per_kwh{};
};

/// Reads the text of a plan. Relative paths in it are looked for beside the plan, in `directory`,
/// first. Errors: malformed, with "NAME:LINE:COLUMN: what is wrong", and what was probably meant.
[[nodiscard]] Result<ExperimentPlan> parse_plan(std::string_view text, const std::string& name,
                                                const std::filesystem::path& directory);

/// Reads a plan. Errors: those of reading a file; too_large; those of parse_plan().
[[nodiscard]] Result<ExperimentPlan> read_plan(const std::filesystem::path& file);

}  // namespace enprof
