#include "experiment/analysis/stored_experiment.hpp"

#include "base/nearest_name.hpp"
#include "base/printable.hpp"
#include "experiment/run_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kCommitTag = "commit";

constexpr RunParts kFigures{.tokens = false,
                            .layers = false,
                            .operations = false,
                            .operation_events = false,
                            .values = false,
                            .power_samples = false};

Result<std::vector<ProfiledRun>> read_runs(ProfileDatabase& database, const RunFilter& filter,
                                           const RunParts& parts, std::size_t* total = nullptr) {
  const auto found = database.find_runs(filter);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (total != nullptr) {
    *total = found->total;
  }
  std::vector<ProfiledRun> runs;
  for (const std::string& id : found->ids) {
    auto run = database.get_run(id, parts);
    if (!run) {
      return std::unexpected(run.error());
    }
    if (*run) {
      runs.push_back(**std::move(run));
    }
  }
  return runs;
}

std::string machine_of(const ProfiledRun& run) {
  return tag_value(run.tags, kMachineTag).value_or("");
}

/// The runs of one point, by experiment.
PointTrend trend_of(const std::string& label, std::vector<ProfiledRun> runs,
                    const DataOptions& options) {
  std::map<std::string, std::vector<ProfiledRun>> by_experiment;
  for (ProfiledRun& run : runs) {
    by_experiment[run.experiment].push_back(std::move(run));
  }
  PointTrend trend{.point = label};
  for (auto& [name, its_runs] : by_experiment) {
    TrendEntry entry{.experiment = name};
    const auto first = std::ranges::min_element(its_runs, {}, &ProfiledRun::started_at);
    entry.at = first->started_at;
    entry.commit = tag_value(first->tags, kCommitTag);
    ExperimentData data = experiment_data(name, std::move(its_runs), options);
    const auto point = std::ranges::find(data.points, label, &PointData::label);
    if (point != data.points.end()) {
      entry.point = std::move(*point);
      trend.entries.push_back(std::move(entry));
    }
  }
  std::ranges::stable_sort(trend.entries, {}, &TrendEntry::at);
  return trend;
}

}  // namespace

Result<std::vector<ProfiledRun>> runs_to_analyze(ProfileDatabase& database,
                                                 const std::string& experiment) {
  RunParts parts = kFigures;
  parts.layers = true;
  auto runs = read_runs(database,
                        {.experiment = experiment,
                         .ascending = true,
                         .limit = std::numeric_limits<std::size_t>::max()},
                        parts);
  if (runs && runs->empty()) {
    return std::unexpected(unknown_experiment(database, experiment));
  }
  return runs;
}

Error unknown_experiment(ProfileDatabase& database, const std::string& experiment) {
  Error error{
      .code = ErrorCode::not_found,
      .message = fmt::format("There is no experiment {} in the history", printable(experiment)),
      .hint = "enprof runs --json lists all runs with their experiments."};
  if (const auto known = database.experiments()) {
    std::vector<std::string_view> names;
    for (const ExperimentSummary& each : *known) {
      names.push_back(each.name);
    }
    if (const auto nearest = nearest_name(experiment, names)) {
      error.hint = fmt::format("Did you mean {}? {}", printable(*nearest), error.hint);
    }
  }
  return error;
}

Result<ExperimentTrend> experiment_trend(ProfileDatabase& database, const std::string& experiment,
                                         const DataOptions& options, std::size_t most_runs) {
  const auto own = read_runs(database,
                             {.experiment = experiment,
                              .ascending = true,
                              .limit = std::numeric_limits<std::size_t>::max()},
                             kFigures);
  if (!own) {
    return std::unexpected(own.error());
  }
  if (own->empty()) {
    return std::unexpected(unknown_experiment(database, experiment));
  }
  const std::string machine = machine_of(own->back());
  std::vector<std::string> labels;
  for (const ProfiledRun& run : *own) {
    if (const std::string label = point_of(run); std::ranges::find(labels, label) == labels.end()) {
      labels.push_back(label);
    }
  }
  ExperimentTrend trend;
  const std::size_t most_of_each = std::max<std::size_t>(most_runs / labels.size(), 1);
  for (const std::string& label : labels) {
    std::size_t total = 0;
    auto runs = read_runs(database, {.tag = make_tag(kPointTag, label), .limit = most_of_each},
                          kFigures, &total);
    if (!runs) {
      return std::unexpected(runs.error());
    }
    trend.is_cut = trend.is_cut || total > most_of_each;
    trend.on_other_machines +=
        std::erase_if(*runs, [&](const ProfiledRun& run) { return machine_of(run) != machine; });
    std::erase_if(*runs, [](const ProfiledRun& run) { return run.experiment.empty(); });
    trend.points.push_back(trend_of(label, *std::move(runs), options));
  }
  return trend;
}

}  // namespace enprof
