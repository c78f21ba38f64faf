// Experiments in the database.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/profile_database.hpp"

#include "experiment/analysis/point_data.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// All runs of an experiment, oldest first, with layers and components. One that is deleted
/// meanwhile is left out. Errors: not_found, if there is no such experiment, with the name that was
/// probably meant; those of the database.
[[nodiscard]] Result<std::vector<ProfiledRun>> runs_to_analyze(ProfileDatabase& database,
                                                               const std::string& experiment);

/// The error for an experiment that has no run.
[[nodiscard]] Error unknown_experiment(ProfileDatabase& database, const std::string& experiment);

/// A point as one experiment measured it.
struct TrendEntry {
  std::string experiment{};
  WallTime at{};                        ///< when its first run began
  std::optional<std::string> commit{};  ///< the tag commit= of its first run
  PointData point{};
};

/// A point over time: in all experiments that have it, on one machine.
struct PointTrend {
  std::string point{};
  std::vector<TrendEntry> entries{};  ///< oldest first
};

struct ExperimentTrend {
  std::vector<PointTrend> points{};
  std::size_t on_other_machines = 0;  ///< runs that are left out
  bool is_cut = false;                ///< there are older runs, which are not read
};

/// The newest runs of each point of the experiment: at most so many of all points together.
inline constexpr std::size_t kMostTrendRuns = 2000;
[[nodiscard]] Result<ExperimentTrend> experiment_trend(ProfileDatabase& database,
                                                       const std::string& experiment,
                                                       const DataOptions& options = {},
                                                       std::size_t most_runs = kMostTrendRuns);

}  // namespace enprof
