#include "server/profiling_api.hpp"

#include "base/printable.hpp"
#include "model/moment.hpp"
#include "profile/run_id.hpp"
#include "report/json_figures.hpp"
#include "report/run_json.hpp"
#include "report/run_list.hpp"
#include "server/choices.hpp"
#include "server/compared_runs.hpp"
#include "server/dashboard_assets.hpp"
#include "server/existing_run.hpp"
#include "server/matrix_query.hpp"
#include "server/named_run.hpp"
#include "server/openapi.hpp"
#include "server/operation_query.hpp"
#include "server/power_timeline_json.hpp"
#include "server/problem.hpp"
#include "server/run_export.hpp"
#include "server/run_request_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kLargestPage = 1000;

HttpResponse json(const Json& body, int status = 200) {
  return {.status = status,
          .content_type = "application/json",
          .body = on_one_line(body) + "\n",
          .headers = {}};
}

template <class... Results>
std::optional<Error> first_error(const Results&... results) {
  std::optional<Error> first;
  const auto look = [&](const auto& result) {
    if (!first && !result) {
      first = result.error();
    }
  };
  (look(results), ...);
  return first;
}

/// A whole number of the query within bounds; `otherwise` where it is absent.
Result<std::int64_t> whole_number(const HttpRequest& request, const char* name,
                                  std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  if (!request.query.contains(name)) {
    return otherwise;
  }
  const std::string_view text = request.parameter(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}={} is not a whole number from {} to {}", name, text, least, most),
                "GET /api/openapi.json describes the parameters.");
  }
  return value;
}

/// A day, from its begin, or an instant: see parse_moment().
Result<std::optional<WallTime>> instant(const HttpRequest& request, const char* name) {
  if (!request.query.contains(name)) {
    return std::optional<WallTime>{};
  }
  const std::string_view text = request.parameter(name);
  const auto moment = parse_moment(text, DayPart::begin);
  if (!moment) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}={} is no date", name, text),
                "Pass a day or an instant, UTC: 2026-11-24 or 2026-11-24T16:00:00Z");
  }
  return std::optional{*moment};
}

/// One of the names that a parameter may be; the first of them where it is absent.
Result<std::size_t> choice(const HttpRequest& request, const char* name,
                           std::span<const std::string_view> known) {
  if (!request.query.contains(name)) {
    return 0;
  }
  const std::string_view given = request.parameter(name);
  const auto found = std::ranges::find(known, given);
  if (found == known.end()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}={} is none of the choices", name, given),
                say_choices(given, known));
  }
  return static_cast<std::size_t>(found - known.begin());
}

/// ?sort_by=; by date where the query says nothing.
Result<RunOrder> order_of(const HttpRequest& request) {
  constexpr std::array<std::string_view, 4> kNames{"date", "duration", "energy",
                                                   "joules_per_token"};
  constexpr std::array kOrders{RunOrder::date, RunOrder::duration, RunOrder::energy,
                               RunOrder::joules_per_token};
  const auto chosen = choice(request, "sort_by", kNames);
  return chosen ? Result<RunOrder>{kOrders.at(*chosen)} : std::unexpected(chosen.error());
}

/// ?order=; false where the query says nothing.
Result<bool> is_ascending(const HttpRequest& request) {
  constexpr std::array<std::string_view, 2> kNames{"desc", "asc"};
  const auto chosen = choice(request, "order", kNames);
  return chosen ? Result<bool>{*chosen == 1} : std::unexpected(chosen.error());
}

/// Empty where the query names none.
Result<std::optional<Phase>> phase_of(const HttpRequest& request) {
  constexpr std::array<std::string_view, 4> kNames{"pre_inference", "prefill", "decode",
                                                   "post_inference"};
  if (!request.query.contains("phase")) {
    return std::optional<Phase>{};
  }
  const auto chosen = choice(request, "phase", kNames);
  if (!chosen) {
    return std::unexpected(chosen.error());
  }
  return phase_from_string(kNames.at(*chosen));
}

/// A text that has an older name, as the system before this one called it.
Result<std::string> text_of(const HttpRequest& request, const char* name, const char* older) {
  if (request.query.contains(name) && request.query.contains(older)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The parameters '{}' and '{}' are the same", name, older),
                fmt::format("Pass '{}' alone.", name));
  }
  return std::string(request.parameter(request.query.contains(older) ? older : name));
}

/// The passes that ?phase=, ?from= and ?to= name; all of them where they are absent.
Result<PassRange> passes_of(const HttpRequest& request) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  const auto first = whole_number(request, "from", -1, -1, kLast);
  const auto last = whole_number(request, "to", kLast, -1, kLast);
  const auto phase = phase_of(request);
  if (const auto wrong = first_error(first, last, phase)) {
    return std::unexpected(*wrong);
  }
  return PassRange{.phase = *phase,
                   .first = static_cast<std::int32_t>(*first),
                   .last = static_cast<std::int32_t>(*last)};
}

constexpr RunParts kNoLists{
    .tokens = false, .layers = false, .operations = false, .values = false, .power_samples = false};

}  // namespace

ProfilingApi::ProfilingApi(Parts parts) : parts_(std::move(parts)) { add_routes(); }

HttpResponse ProfilingApi::handle(const HttpRequest& request) const {
  return router_.route(request);
}

void ProfilingApi::add_routes() {
  using Request = const HttpRequest&;
  using Accepts = Router::Accepts;
  const auto add = [this](const char* method, const char* pattern, auto handler,
                          Accepts accepts = {}) {
    router_.add(method, pattern, std::move(handler), std::move(accepts));
  };
  const Accepts body{.body = true};
  const Accepts passes{.parameters = {"phase", "from", "to"}};
  add("POST", "/api/profiling/generate", [this](Request r, auto&) { return generate(r); }, body);
  add("GET", "/api/profiling/runs", [this](Request r, auto&) { return list_runs(r); },
      {.parameters = {"model", "tag", "experiment", "engine", "text", "date_from", "date_to",
                      "sort_by", "order", "limit", "offset", "tags", "inference_engine"}});
  add("GET", "/api/profiling/resolve", [this](Request r, auto&) { return resolve(r); },
      {.parameters = {"run"}});
  add("GET", "/api/profiling/run/{id}",
      [this](Request r, const Captures& c) { return get_run(c[0], r); },
      {.parameters = {"include"}});
  add("GET", "/api/profiling/run/{id}/summary",
      [this](Request, const Captures& c) { return summary(c[0]); });
  add("GET", "/api/profiling/run/{id}/pipeline",
      [this](Request, const Captures& c) { return pipeline(c[0]); });
  add("GET", "/api/profiling/run/{id}/power",
      [this](Request r, const Captures& c) { return power(c[0], r); }, {.parameters = {"points"}});
  add("GET", "/api/profiling/run/{id}/matrix",
      [this](Request r, const Captures& c) { return matrix(c[0], r); },
      {.parameters = {"metric", "phase", "from", "to"}});
  add(
      "GET", "/api/profiling/run/{id}/operations",
      [this](Request r, const Captures& c) { return operations(c[0], r); }, passes);
  add("GET", "/api/profiling/export/{id}",
      [this](Request r, const Captures& c) { return export_run(parts_.store, c[0], r); },
      {.parameters = {"format", "table"}});
  add("DELETE", "/api/profiling/run/{id}",
      [this](Request, const Captures& c) { return delete_run(c[0]); });
  add(
      "PATCH", "/api/profiling/run/{id}",
      [this](Request r, const Captures& c) { return edit_run(c[0], r); }, body);
  add("POST", "/api/profiling/compare", [this](Request r, auto&) { return compare(r); }, body);
  add("GET", "/api/models", [this](Request, auto&) { return list_models(); });
  add("GET", "/api/power/status", [this](Request, auto&) { return power_status(); });
  add("GET", "/api/profiling/powermetrics/status",
      [this](Request, auto&) { return power_status(); });
  add("GET", "/healthz",
      [](Request, auto&) { return HttpResponse{.content_type = "text/plain", .body = "ok\n"}; });
  add("GET", "/api/health", [this](Request, auto&) { return health(); });
  add("GET", "/metrics", [this](Request, auto&) {
    ServerMetrics::Gauges gauges = parts_.gauges();
    if (const PowerMonitor* power = parts_.power()) {
      gauges.power = power->now().total;
      for (const SourceRate& rate : power->rates()) {
        gauges.read_errors.emplace_back(rate.source, rate.failed_readings);
      }
    }
    look_at_store();
    note_power();
    for (const ServerHealth::Component& component : parts_.health.components()) {
      gauges.components.emplace_back(component.name, !component.error);
    }
    return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = parts_.metrics.text(gauges)};
  });
  add("GET", "/api/openapi.json", [](Request, auto&) {
    return HttpResponse{.content_type = "application/json",
                        .body = std::string(openapi_document())};
  });
  const Accepts anything{.any_parameter = true};
  add("GET", "/", [this](Request r, auto&) { return page(r); }, anything);
  for (const DashboardAsset& asset : dashboard_assets()) {
    router_.add("GET", asset.path, [this](Request r, auto&) { return page(r); }, anything);
  }
}

HttpResponse ProfilingApi::generate(const HttpRequest& request) const {
  auto task = parse_run_request(request.body);
  if (!task) {
    return problem(task.error());
  }
  if (const auto model = parts_.models.open(task->model); !model) {
    return problem(model.error());
  }
  task->run_id = make_run_id();
  const std::string id = task->run_id;
  const auto position = parts_.queue.submit(std::move(*task));
  if (!position) {
    return problem(position.error());
  }
  HttpResponse response = json({{"run_id", id}, {"position", *position}}, 202);
  response.headers.emplace_back("Location", "/api/profiling/run/" + id);
  return response;
}

HttpResponse ProfilingApi::list_runs(const HttpRequest& request) const {
  const auto tag = text_of(request, "tag", "tags");
  const auto engine = text_of(request, "engine", "inference_engine");
  const auto limit = whole_number(request, "limit", 50, 1, kLargestPage);
  const auto offset = whole_number(request, "offset", 0, 0, INT64_MAX);
  const auto from = instant(request, "date_from");
  const auto to = instant(request, "date_to");
  const auto order = order_of(request);
  const auto ascending = is_ascending(request);
  if (const auto wrong = first_error(tag, engine, limit, offset, from, to, order, ascending)) {
    return problem(*wrong);
  }
  const RunFilter filter{.model = std::string(request.parameter("model")),
                         .tag = *tag,
                         .experiment = std::string(request.parameter("experiment")),
                         .engine = *engine,
                         .prompt_text = std::string(request.parameter("text")),
                         .from = *from,
                         .to = *to,
                         .order = *order,
                         .ascending = *ascending,
                         .limit = static_cast<std::size_t>(*limit),
                         .offset = static_cast<std::size_t>(*offset)};
  auto runs = parts_.store.find_runs(filter);
  if (!runs) {
    return problem(runs.error());
  }
  HttpResponse response;
  response.stream = std::make_unique<RunListJson>(parts_.store, *std::move(runs));
  return response;
}

HttpResponse ProfilingApi::resolve(const HttpRequest& request) const {
  const auto run = named_run(parts_.store, parts_.queue, std::string(request.parameter("run")));
  return run ? json({{"run_id", run->run_id}, {"status", run->status}}) : problem(run.error());
}

HttpResponse ProfilingApi::get_run(const std::string& id, const HttpRequest& request) const {
  constexpr std::array<std::string_view, 1> kParts{"operations"};
  const auto part = choice(request, "include", kParts);
  if (!part) {
    return problem(part.error());
  }
  if (const auto state = parts_.queue.state(id)) {
    return json(
        {{"run_id", id}, {"status", *state == RunQueue::State::running ? "running" : "queued"}});
  }
  auto run = existing_run(parts_.store, id);
  if (!run) {
    return problem(run.error());
  }
  if (!request.query.contains("include")) {
    (*run)->leave_out_details();  // a million events are not for a page
  }
  HttpResponse response;
  response.stream = std::make_unique<RunJson>(*std::move(run));
  return response;
}

HttpResponse ProfilingApi::summary(const std::string& id) const {
  const auto run = existing_run(parts_.store, id, kNoLists);
  return run ? HttpResponse{.body = run_head_to_json(*run)} : problem(run.error());
}

HttpResponse ProfilingApi::pipeline(const std::string& id) const {
  const auto pipeline = parts_.store.pipeline(id);
  if (!pipeline || !*pipeline) {
    return problem(pipeline ? no_run(id) : pipeline.error());
  }
  return {.body = pipeline_to_json(id, **pipeline)};
}

HttpResponse ProfilingApi::power(const std::string& id, const HttpRequest& request) const {
  const auto points = whole_number(request, "points", 1000, 0, 1'000'000);
  if (!points) {
    return problem(points.error());
  }
  auto timeline = parts_.store.power_timeline(id, static_cast<std::size_t>(*points));
  if (!timeline) {
    return problem(timeline.error());
  }
  if (!*timeline) {
    return problem(no_run(id));
  }
  HttpResponse response;
  response.stream = std::make_unique<PowerTimelineJson>(id, **std::move(timeline));
  return response;
}

/// Read from these passes alone: a token's matrix costs a token's work.
Result<std::optional<LayerComponentMatrix>> ProfilingApi::cells_of(const std::string& id,
                                                                   const PassRange& passes) const {
  const auto sums = parts_.store.operation_sums(id, passes);
  if (!sums) {
    return std::unexpected(sums.error());
  }
  return *sums ? std::optional{cells_of_passes(**sums)} : std::nullopt;
}

HttpResponse ProfilingApi::matrix(const std::string& id, const HttpRequest& request) const {
  const auto chosen = choice(request, "metric", metric_names());
  const auto passes = passes_of(request);
  if (const auto wrong = first_error(chosen, passes)) {
    return problem(*wrong);
  }
  const std::string metric{metric_names()[*chosen]};
  const bool by_tokens = request.query.contains("from") || request.query.contains("to");
  std::optional<MetricMatrix> values;
  if (value_matrix({}, metric)) {
    const auto sampled = parts_.store.sampled_values(id, *passes);
    if (!sampled || !*sampled) {
      return problem(sampled ? no_run(id) : sampled.error());
    }
    values = value_matrix(**sampled, metric);
  } else {
    auto cells =
        by_tokens ? cells_of(id, *passes) : parts_.store.layer_components(id, passes->phase);
    if (!cells || !*cells) {
      return problem(cells ? no_run(id) : cells.error());
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
  return json({{"run_id", id},
               {"metric", values->metric},
               {"unit", values->unit},
               {"layers", std::move(layers)},
               {"components", values->components},
               {"values", std::move(rows)}});
}

HttpResponse ProfilingApi::operations(const std::string& id, const HttpRequest& request) const {
  const auto passes = passes_of(request);
  if (!passes) {
    return problem(passes.error());
  }
  const auto sums = parts_.store.operation_sums(id, *passes);
  if (!sums || !*sums) {
    return problem(sums ? no_run(id) : sums.error());
  }
  // As text: a tree of them would be several times as large.
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

HttpResponse ProfilingApi::delete_run(const std::string& id) const {
  if (parts_.queue.cancel(id)) {
    return json({{"run_id", id}, {"status", "cancelling"}}, 202);
  }
  const auto deleted = parts_.store.delete_run(id);
  if (!deleted) {
    return problem(deleted.error());
  }
  return *deleted ? json({{"run_id", id}, {"status", "deleted"}}) : problem(no_run(id));
}

HttpResponse ProfilingApi::edit_run(const std::string& id, const HttpRequest& request) const {
  const auto tags = parse_tags(request.body);
  if (!tags) {
    return problem(tags.error());
  }
  const auto done = parts_.store.set_tags(id, *tags);
  if (!done) {
    return problem(done.error());
  }
  return *done ? json({{"run_id", id}, {"tags", *tags}}) : problem(no_run(id));
}

HttpResponse ProfilingApi::compare(const HttpRequest& request) const {
  const auto ids = parse_run_ids(request.body);
  if (!ids) {
    return problem(ids.error());
  }
  for (const std::string& id : *ids) {  // one that is missing is found before the others are sent
    const auto summary = parts_.store.summary(id);
    if (!summary || !*summary) {
      return problem(summary ? no_run(id) : summary.error());
    }
  }
  HttpResponse response;
  response.stream = std::make_unique<ComparedRuns>(parts_.store, *ids);
  return response;
}

HttpResponse ProfilingApi::list_models() const {
  const auto models = parts_.models.list();
  if (!models) {
    parts_.health.failed("models", models.error());
    return problem(models.error());
  }
  parts_.health.ok("models");
  Json list = Json::array();
  for (const ModelDirectory::Entry& model : *models) {
    list.push_back({{"name", model.name}, {"bytes", model.bytes}});
  }
  return json({{"models", std::move(list)}});
}

HttpResponse ProfilingApi::power_status() const {
  const PowerMonitor* const measuring = parts_.power();
  if (measuring == nullptr) {
    Json warnings = Json::array();
    for (const ServerHealth::Component& component : parts_.health.components()) {
      if (component.name == "power" && component.error) {
        warnings.push_back({{"code", "power_failed"},
                            {"message", component.error->message},
                            {"hint", text(component.error->hint)}});
      }
    }
    return json({{"running", false},
                 {"sources", Json::array()},
                 {"domains", Json::array()},
                 {"power_mw", nullptr},
                 {"warnings", std::move(warnings)}});
  }
  const PowerMonitor& monitor = *measuring;
  Json domains = Json::array();
  for (const Domain& domain : monitor.domains()) {
    domains.push_back(
        {{"name", domain.name},
         {"source", domain.source},
         {"method", to_string(domain.method)},
         {"within", domain.parent ? Json(monitor.domains()[*domain.parent].name) : Json(nullptr)}});
  }
  Json warnings = Json::array();
  for (const Warning& warning : monitor.warnings()) {
    warnings.push_back(
        {{"code", warning.code}, {"message", warning.message}, {"hint", text(warning.hint)}});
  }
  return json({{"running", monitor.is_running()},
               {"sources", monitor.sources()},
               {"domains", std::move(domains)},
               {"power_mw", mw(monitor.now().total)},
               {"warnings", std::move(warnings)}});
}

/// A sensor that was there may have gone since, or may have come back.
void ProfilingApi::note_power() const {
  const PowerMonitor* const power = parts_.power();
  if (power == nullptr || !power->is_running() || power->domains().empty()) {
    return;
  }
  if (power->now().total) {
    parts_.health.ok("power");
    return;
  }
  if (const auto warnings = power->warnings(); !warnings.empty()) {
    parts_.health.failed("power",
                         {ErrorCode::unavailable, warnings.back().message, warnings.back().hint});
  }
}

StoreHealth ProfilingApi::look_at_store() const {
  StoreHealth store = parts_.store.health();
  if (const auto& error = store.last_error ? store.last_error : store.read_error) {
    parts_.health.failed("store", *error);
  } else if (store.unsaved_runs > 0) {
    parts_.health.failed(
        "store", {ErrorCode::unavailable,
                  fmt::format("{} runs that are over could not be saved yet: they are in memory",
                              store.unsaved_runs),
                  "They are saved as soon as the database takes them; the server's log says why it "
                  "does not."});
  } else {
    parts_.health.ok("store");
  }
  return store;
}

HttpResponse ProfilingApi::health() const {
  const StoreHealth store = look_at_store();
  note_power();
  Json components = Json::array();
  bool well = true;
  for (const ServerHealth::Component& component : parts_.health.components()) {
    well = well && !component.error;
    Json entry{
        {"name", component.name},
        {"state", component.error ? "failing" : "ok"},
        {"since",
         fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::floor<std::chrono::seconds>(component.since)))},
        {"code", component.error ? Json(to_string(component.error->code)) : Json()},
        {"detail", component.error ? Json(component.error->message) : Json()},
        {"hint", component.error ? text(component.error->hint) : Json()}};
    if (component.name == "store") {
      entry["breaker"] = to_string(store.state);
      entry["unsaved_runs"] = store.unsaved_runs;
    }
    components.push_back(std::move(entry));
  }
  return json({{"status", well ? "ok" : "degraded"},
               {"running", text(parts_.queue.running())},
               {"queued", parts_.queue.waiting()},
               {"components", std::move(components)}});
}

HttpResponse ProfilingApi::page(const HttpRequest& request) const {
  const std::string_view path =
      request.path == "/" ? "/index.html" : std::string_view(request.path);
  const auto assets = dashboard_assets();
  const auto asset = std::ranges::find(assets, path, &DashboardAsset::path);
  if (asset == assets.end()) {
    return {.content_type = "text/html; charset=utf-8",
            .body =
                "<!doctype html><title>enprof</title><h1>enprof</h1><p>This program was built "
                "without its dashboard, which needs Node.js 20 or later: install it, and build "
                "again. The API works: <a href=\"/api/openapi.json\">/api/openapi.json</a>\n"};
  }
  HttpResponse response{.content_type = std::string(asset->content_type)};
  if (request.header("accept-encoding").find("gzip") != std::string_view::npos) {
    response.body = asset->gzip;
    response.headers.emplace_back("Content-Encoding", "gzip");
  } else {
    response.body = asset->bytes;
  }
  response.headers.emplace_back("Vary", "Accept-Encoding");
  // Names of assets change with their content.
  if (path.starts_with("/assets/")) {
    response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  }
  return response;
}

}  // namespace enprof
