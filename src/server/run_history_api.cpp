#include "server/run_history_api.hpp"

#include "report/json_figures.hpp"
#include "report/run_json.hpp"
#include "report/run_list.hpp"
#include "server/compared_runs.hpp"
#include "server/existing_run.hpp"
#include "server/json_answer.hpp"
#include "server/matrix_query.hpp"
#include "server/named_run.hpp"
#include "server/operation_query.hpp"
#include "server/power_timeline_json.hpp"
#include "server/problem.hpp"
#include "server/query_parameters.hpp"
#include "server/run_export.hpp"
#include "server/run_request_json.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr RunParts kNoLists{
    .tokens = false, .layers = false, .operations = false, .values = false, .power_samples = false};

/// Reads only these passes, so that the matrix of one token is cheap.
Result<std::optional<LayerComponentMatrix>> cells_of(ProfileDatabase& store, const std::string& id,
                                                     const PassRange& passes) {
  const auto sums = store.operation_sums(id, passes);
  if (!sums) {
    return std::unexpected(sums.error());
  }
  return *sums ? std::optional{cells_of_passes(**sums)} : std::nullopt;
}

}  // namespace

void RunHistoryApi::add_routes(Router& router) {
  using Request = const HttpRequest&;
  using Captures = const Router::Captures&;
  router.add("GET", "/api/profiling/runs", [this](Request r, Captures) { return list_runs(r); },
             {.parameters = {"model", "model_text", "tag", "experiment", "engine", "text",
                             "capture", "date_from", "date_to", "sort_by", "order", "limit",
                             "offset", "tags", "inference_engine"}});
  router.add("GET", "/api/profiling/resolve", [this](Request r, Captures) { return resolve(r); },
             {.parameters = {"run"}});
  router.add("GET", "/api/profiling/run/{id}",
             [this](Request r, Captures c) { return get_run(c[0], r); },
             {.parameters = {"include"}});
  router.add("GET", "/api/profiling/run/{id}/summary",
             [this](Request, Captures c) { return summary(c[0]); });
  router.add("GET", "/api/profiling/run/{id}/pipeline",
             [this](Request, Captures c) { return pipeline(c[0]); });
  router.add("GET", "/api/profiling/run/{id}/power",
             [this](Request r, Captures c) { return power(c[0], r); }, {.parameters = {"points"}});
  router.add("GET", "/api/profiling/run/{id}/matrix",
             [this](Request r, Captures c) { return matrix(c[0], r); },
             {.parameters = {"metric", "phase", "from", "to"}});
  router.add("GET", "/api/profiling/run/{id}/operations",
             [this](Request r, Captures c) { return operations(c[0], r); },
             {.parameters = {"phase", "from", "to"}});
  router.add("GET", "/api/profiling/export/{id}",
             [this](Request r, Captures c) { return export_run(store_, c[0], r); },
             {.parameters = {"format", "table", "weight"}});
  router.add("POST", "/api/profiling/compare", [this](Request r, Captures) { return compare(r); },
             {.body = true});
}

HttpResponse RunHistoryApi::list_runs(const HttpRequest& request) const {
  const auto filter = run_filter_of(request);
  if (!filter) {
    return problem(filter.error());
  }
  auto runs = store_.find_runs(*filter);
  if (!runs) {
    return problem(runs.error());
  }
  HttpResponse response;
  response.stream = std::make_unique<RunListJson>(store_, *std::move(runs));
  return response;
}

HttpResponse RunHistoryApi::resolve(const HttpRequest& request) const {
  const auto run = named_run(store_, under_way_, std::string(request.parameter("run")));
  return run ? json_answer({{"run_id", run->run_id}, {"status", run->status}})
             : problem(run.error());
}

HttpResponse RunHistoryApi::get_run(const std::string& id, const HttpRequest& request) const {
  constexpr std::array<std::string_view, 1> kParts{"operations"};
  const auto part = choice(request, "include", kParts);
  if (!part) {
    return problem(part.error());
  }
  if (const auto state = under_way_.state(id)) {
    return json_answer({{"run_id", id},
                        {"status", *state == RunsUnderWay::State::running ? "running" : "queued"}});
  }
  auto run = existing_run(store_, id);
  if (!run) {
    return problem(run.error());
  }
  if (!request.query.contains("include")) {
    (*run)->leave_out_details();  // a million events are too much for a page
  }
  HttpResponse response;
  response.stream = std::make_unique<RunJson>(*std::move(run));
  return response;
}

HttpResponse RunHistoryApi::summary(const std::string& id) const {
  const auto run = existing_run(store_, id, kNoLists);
  return run ? HttpResponse{.body = run_head_to_json(*run)} : problem(run.error());
}

HttpResponse RunHistoryApi::pipeline(const std::string& id) const {
  const auto pipeline = store_.pipeline(id);
  if (!pipeline || !*pipeline) {
    return problem(pipeline ? run_not_found(id) : pipeline.error());
  }
  return {.body = pipeline_to_json(id, **pipeline)};
}

HttpResponse RunHistoryApi::power(const std::string& id, const HttpRequest& request) const {
  const auto points = whole_number(request, "points", 1000, 0, 1'000'000);
  if (!points) {
    return problem(points.error());
  }
  auto timeline = store_.power_timeline(id, static_cast<std::size_t>(*points));
  if (!timeline) {
    return problem(timeline.error());
  }
  if (!*timeline) {
    return problem(run_not_found(id));
  }
  HttpResponse response;
  response.stream = std::make_unique<PowerTimelineJson>(id, **std::move(timeline));
  return response;
}

HttpResponse RunHistoryApi::matrix(const std::string& id, const HttpRequest& request) const {
  const auto chosen = choice(request, "metric", metric_names());
  const auto passes = passes_of(request);
  if (const auto wrong = first_error(chosen, passes)) {
    return problem(*wrong);
  }
  const std::string metric{metric_names()[*chosen]};
  const bool by_tokens = request.query.contains("from") || request.query.contains("to");
  std::optional<MetricMatrix> values;
  if (value_matrix({}, metric)) {
    const auto sampled = store_.sampled_values(id, *passes);
    if (!sampled || !*sampled) {
      return problem(sampled ? run_not_found(id) : sampled.error());
    }
    values = value_matrix(**sampled, metric);
  } else {
    auto cells =
        by_tokens ? cells_of(store_, id, *passes) : store_.layer_components(id, passes->phase);
    if (!cells || !*cells) {
      return problem(cells ? run_not_found(id) : cells.error());
    }
    auto computed = metric_matrix(**cells, metric);
    if (!computed) {
      return problem(computed.error());
    }
    values = std::move(*computed);
  }
  Json layers = Json::array();
  Json rows = Json::array();
  for (std::size_t layer = 0; layer < values->layers.size(); ++layer) {
    layers.push_back(layer_json(values->layers[layer]));
    Json row = Json::array();
    for (std::size_t component = 0; component < values->components.size(); ++component) {
      row.push_back(nullable(values->at(layer, component)));
    }
    rows.push_back(std::move(row));
  }
  return json_answer({{"run_id", id},
                      {"metric", values->metric},
                      {"unit", values->unit},
                      {"layers", std::move(layers)},
                      {"components", values->components},
                      {"values", std::move(rows)}});
}

HttpResponse RunHistoryApi::operations(const std::string& id, const HttpRequest& request) const {
  const auto passes = passes_of(request);
  if (!passes) {
    return problem(passes.error());
  }
  const auto sums = store_.operation_sums(id, *passes);
  if (!sums || !*sums) {
    return problem(sums ? run_not_found(id) : sums.error());
  }
  // Written as text: a JSON tree would take several times the memory.
  HttpResponse response;
  response.body = fmt::format("{{\"run_id\":{},\"operations\":[", on_one_line(id));
  std::string_view separator;
  for (const LayerOperation& operation : operations_by_layer(**sums)) {
    response.body += std::exchange(separator, ",");
    response.body += on_one_line({{"phase", to_string(operation.phase)},
                                  {"layer", layer_json(operation.layer)},
                                  {"component", operation.component},
                                  {"op", operation.op},
                                  {"count", operation.count},
                                  {"duration_ms", to_ms(operation.duration)},
                                  {"energy_mj", mj(operation.energy)},
                                  {"flops", nullable(operation.flops)},
                                  {"bytes", nullable(operation.bytes)}});
  }
  response.body += "]}\n";
  return response;
}

HttpResponse RunHistoryApi::compare(const HttpRequest& request) const {
  const auto ids = parse_run_ids(request.body);
  if (!ids) {
    return problem(ids.error());
  }
  for (const std::string& id : *ids) {  // finds a missing run before sending the others
    if (under_way_.state(id)) {
      return problem(
          {ErrorCode::busy, fmt::format("Run {} has not ended", id), "Compare it when it has."});
    }
    const auto summary = store_.summary(id);
    if (!summary || !*summary) {
      return problem(summary ? run_not_found(id) : summary.error());
    }
  }
  HttpResponse response;
  response.stream = std::make_unique<ComparedRuns>(store_, *ids);
  return response;
}

}  // namespace enprof
