#include "server/experiments_api.hpp"

#include "experiment/analysis/analysis_json.hpp"
#include "experiment/analysis/experiment_page.hpp"
#include "experiment/analysis/stored_experiment.hpp"
#include "server/json_answer.hpp"
#include "server/problem.hpp"
#include "server/query_parameters.hpp"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr const char* kExperiment = "experiment";
constexpr const char* kEstimates = "estimates";

Result<std::string> name_of(const HttpRequest& request) {
  std::string name{request.parameter(kExperiment)};
  if (name.empty()) {
    return fail(ErrorCode::invalid_argument, "No experiment is named",
                "Add ?experiment=NAME; GET /api/experiments lists them.");
  }
  return name;
}

/// Whether estimates count as energies.
Result<DataOptions> options_of(const HttpRequest& request) {
  constexpr std::array<std::string_view, 2> kChoices{"no", "yes"};
  const auto chosen = choice(request, kEstimates, kChoices);
  return chosen ? Result<DataOptions>{DataOptions{.estimates = *chosen == 1}}
                : std::unexpected(chosen.error());
}

Result<ExperimentData> data_of(ProfileDatabase& store, const HttpRequest& request) {
  const auto name = name_of(request);
  if (!name) {
    return std::unexpected(name.error());
  }
  const auto options = options_of(request);
  if (!options) {
    return std::unexpected(options.error());
  }
  auto runs = runs_to_analyze(store, *name);
  if (!runs) {
    return std::unexpected(runs.error());
  }
  return experiment_data(*name, *std::move(runs), *options);
}

Json time_of(WallTime time) { return time.time_since_epoch().count(); }

}  // namespace

void ExperimentsApi::add_routes(Router& router) {
  using Request = const HttpRequest&;
  using Captures = const Router::Captures&;
  const Router::Accepts one{.parameters = {kExperiment, kEstimates}};
  router.add("GET", "/api/experiments", [this](Request, Captures) { return list(); });
  router.add(
      "GET", "/api/experiments/analyses", [this](Request r, Captures) { return analyze(r); }, one);
  router.add(
      "GET", "/api/experiments/trend", [this](Request r, Captures) { return trend(r); }, one);
  router.add(
      "GET", "/api/experiments/report", [this](Request r, Captures) { return page(r); }, one);
}

HttpResponse ExperimentsApi::list() const {
  const auto found = store_.experiments();
  if (!found) {
    return problem(found.error());
  }
  Json experiments = Json::array();
  for (const ExperimentSummary& each : *found) {
    experiments.push_back({{"experiment", each.name},
                           {"runs", each.runs},
                           {"first_started_at_ms", time_of(each.first)},
                           {"last_started_at_ms", time_of(each.last)}});
  }
  return json_answer({{"experiments", std::move(experiments)}});
}

HttpResponse ExperimentsApi::analyze(const HttpRequest& request) const {
  const auto data = data_of(store_, request);
  return data ? json_answer(experiment_to_json(*data, enprof::analyze(*data)))
              : problem(data.error());
}

HttpResponse ExperimentsApi::trend(const HttpRequest& request) const {
  const auto name = name_of(request);
  const auto options = options_of(request);
  if (const auto wrong = first_error(name, options)) {
    return problem(*wrong);
  }
  const auto found = experiment_trend(store_, *name, *options);
  if (!found) {
    return problem(found.error());
  }
  Json points = Json::array();
  for (const PointTrend& point : found->points) {
    Json entries = Json::array();
    for (const TrendEntry& entry : point.entries) {
      Json json{{"experiment", entry.experiment},
                {"started_at_ms", time_of(entry.at)},
                {"commit", nullable(entry.commit)}};
      json.update(point_to_json(entry.point));
      entries.push_back(std::move(json));
    }
    points.push_back({{"point", point.point}, {"entries", std::move(entries)}});
  }
  return json_answer({{"experiment", *name},
                      {"points", std::move(points)},
                      {"runs_on_other_machines", found->on_other_machines},
                      {"is_cut", found->is_cut}});
}

HttpResponse ExperimentsApi::page(const HttpRequest& request) const {
  const auto data = data_of(store_, request);
  if (!data) {
    return problem(data.error());
  }
  HttpResponse response{.content_type = "text/html; charset=utf-8",
                        .body = experiment_page(*data, enprof::analyze(*data))};
  // A file to keep: it has its own style, which pages of this server may have too, and no script.
  response.headers.emplace_back("Content-Disposition", "attachment; filename=\"experiment.html\"");
  return response;
}

}  // namespace enprof
