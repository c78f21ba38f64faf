#include "server/profiling_api.hpp"

#include "model/moment.hpp"
#include "profile/run_id.hpp"
#include "report/json_figures.hpp"
#include "report/run_json.hpp"
#include "report/run_list.hpp"
#include "server/dashboard_assets.hpp"
#include "server/existing_run.hpp"
#include "server/matrix_query.hpp"
#include "server/openapi.hpp"
#include "server/operation_query.hpp"
#include "server/problem.hpp"
#include "server/run_export.hpp"
#include "server/run_request_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kLargestPage = 1000;
constexpr std::size_t kMostCompared = 10;

HttpResponse json(const Json& body, int status = 200) {
  return {.status = status,
          .content_type = "application/json",
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n",
          .headers = {}};
}

/// A whole number of the query within bounds; `otherwise` where it is absent.
Result<std::int64_t> whole_number(const HttpRequest& request, const char* name,
                                  std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  const std::string_view text = request.parameter(name);
  if (text.empty()) {
    return otherwise;
  }
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
  const std::string_view text = request.parameter(name);
  if (text.empty()) {
    return std::optional<WallTime>{};
  }
  const auto moment = parse_moment(text, DayPart::begin);
  if (!moment) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}={} is no date", name, text),
                "Pass a day or an instant, UTC: 2026-11-24 or 2026-11-24T16:00:00Z");
  }
  return std::optional{*moment};
}

Result<RunOrder> order_of(std::string_view name) {
  if (name.empty() || name == "date") {
    return RunOrder::date;
  }
  if (name == "duration") {
    return RunOrder::duration;
  }
  if (name == "energy") {
    return RunOrder::energy;
  }
  if (name == "joules_per_token") {
    return RunOrder::joules_per_token;
  }
  return fail(ErrorCode::invalid_argument, fmt::format("Runs cannot be sorted by '{}'", name),
              "Choose one of: date, duration, energy, joules_per_token");
}

/// Empty where the query names none.
Result<std::optional<Phase>> phase_of(const HttpRequest& request) {
  const std::string_view name = request.parameter("phase");
  const auto phase = phase_from_string(name);
  if (!phase && !name.empty()) {
    return fail(ErrorCode::invalid_argument, fmt::format("There is no phase '{}'", name),
                "Choose one of: pre_inference, prefill, decode, post_inference");
  }
  return phase;
}

/// The passes that ?phase=, ?from= and ?to= name; all of them where they are absent.
Result<PassRange> passes_of(const HttpRequest& request) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  const auto first = whole_number(request, "from", -1, -1, kLast);
  const auto last = whole_number(request, "to", kLast, -1, kLast);
  const auto phase = phase_of(request);
  if (!first || !last || !phase) {
    return std::unexpected(!first ? first.error() : !last ? last.error() : phase.error());
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
  const auto add = [this](const char* method, const char* pattern, auto handler) {
    router_.add(method, pattern, std::move(handler));
  };
  add("POST", "/api/profiling/generate", [this](Request r, auto&) { return generate(r); });
  add("GET", "/api/profiling/runs", [this](Request r, auto&) { return list_runs(r); });
  add("GET", "/api/profiling/run/{id}",
      [this](Request r, const Captures& c) { return get_run(c[0], r); });
  add("GET", "/api/profiling/run/{id}/summary",
      [this](Request, const Captures& c) { return summary(c[0]); });
  add("GET", "/api/profiling/run/{id}/pipeline",
      [this](Request, const Captures& c) { return pipeline(c[0]); });
  add("GET", "/api/profiling/run/{id}/power",
      [this](Request r, const Captures& c) { return power(c[0], r); });
  add("GET", "/api/profiling/run/{id}/matrix",
      [this](Request r, const Captures& c) { return matrix(c[0], r); });
  add("GET", "/api/profiling/run/{id}/operations",
      [this](Request r, const Captures& c) { return operations(c[0], r); });
  add("GET", "/api/profiling/export/{id}",
      [this](Request r, const Captures& c) { return export_run(parts_.store, c[0], r); });
  add("DELETE", "/api/profiling/run/{id}",
      [this](Request, const Captures& c) { return delete_run(c[0]); });
  add("PATCH", "/api/profiling/run/{id}",
      [this](Request r, const Captures& c) { return edit_run(c[0], r); });
  add("POST", "/api/profiling/compare", [this](Request r, auto&) { return compare(r); });
  add("GET", "/api/models", [this](Request, auto&) { return list_models(); });
  add("GET", "/api/power/status", [this](Request, auto&) { return power_status(); });
  add("GET", "/api/profiling/powermetrics/status",
      [this](Request, auto&) { return power_status(); });
  add("GET", "/healthz",
      [](Request, auto&) { return HttpResponse{.content_type = "text/plain", .body = "ok\n"}; });
  add("GET", "/api/health", [this](Request, auto&) { return health(); });
  add("GET", "/metrics", [this](Request, auto&) {
    ServerMetrics::Gauges gauges = parts_.gauges();
    if (parts_.power != nullptr) {
      gauges.power = parts_.power->now().total;
      for (const SourceRate& rate : parts_.power->rates()) {
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
  add("GET", "/", [this](Request r, auto&) { return page(r); });
  for (const DashboardAsset& asset : dashboard_assets()) {
    router_.add("GET", asset.path, [this](Request r, auto&) { return page(r); });
  }
}

HttpResponse ProfilingApi::generate(const HttpRequest& request) const {
  auto task = parse_run_request(request.body);
  if (!task) {
    return problem(task.error());
  }
  if (const auto model = parts_.models.find(task->model); !model) {
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
  RunFilter filter{.model = std::string(request.parameter("model")),
                   .tag = std::string(request.parameter("tag")),
                   .experiment = std::string(request.parameter("experiment")),
                   .engine = std::string(request.parameter("engine")),
                   .prompt_text = std::string(request.parameter("text"))};
  if (filter.tag.empty()) {  // as the system before this one called it
    filter.tag = request.parameter("tags");
  }
  if (filter.engine.empty()) {
    filter.engine = request.parameter("inference_engine");
  }
  const auto limit = whole_number(request, "limit", 50, 1, kLargestPage);
  const auto offset = whole_number(request, "offset", 0, 0, INT64_MAX);
  const auto from = instant(request, "date_from");
  const auto to = instant(request, "date_to");
  const auto order = order_of(request.parameter("sort_by"));
  if (!limit || !offset || !from || !to || !order) {
    return problem(!limit    ? limit.error()
                   : !offset ? offset.error()
                   : !from   ? from.error()
                   : !to     ? to.error()
                             : order.error());
  }
  filter.limit = static_cast<std::size_t>(*limit);
  filter.offset = static_cast<std::size_t>(*offset);
  filter.from = *from;
  filter.to = *to;
  filter.order = *order;
  filter.ascending = request.parameter("order") == "asc";
  const auto list = parts_.store.list_runs(filter);
  return list ? HttpResponse{.body = run_list_to_json(*list)} : problem(list.error());
}

HttpResponse ProfilingApi::get_run(const std::string& id, const HttpRequest& request) const {
  if (const auto state = parts_.queue.state(id)) {
    return json(
        {{"run_id", id}, {"status", *state == RunQueue::State::running ? "running" : "queued"}});
  }
  const bool whole = request.parameter("include") == "operations";
  // A million events are not for a page.
  auto run = existing_run(parts_.store, id,
                          {.operation_events = whole, .values = whole, .power_samples = whole});
  if (!run) {
    return problem(run.error());
  }
  if (!whole) {
    run->operation_table = {};
  }
  return {.body = run_to_json(*run)};
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
  const auto timeline = parts_.store.power_timeline(id, static_cast<std::size_t>(*points));
  if (!timeline) {
    return problem(timeline.error());
  }
  if (!*timeline) {
    return problem(no_run(id));
  }
  const auto series = [](const std::vector<PowerPoint>& list) {
    Json result = Json::array();
    for (const PowerPoint& point : list) {
      result.push_back({to_ms(point.begin), to_ms(point.end), to_mw(point.power)});
    }
    return result;
  };
  Json domains = Json::array();
  for (const PowerSeries& domain : (*timeline)->domains) {
    domains.push_back({{"name", domain.domain},
                       {"kind", to_string(domain.kind)},
                       {"is_root", domain.is_root},
                       {"points", series(domain.points)}});
  }
  return json({{"run_id", id},
               {"point_columns", {"begin_ms", "end_ms", "power_mw"}},
               {"domains", std::move(domains)},
               {"total", series((*timeline)->total)}});
}

HttpResponse ProfilingApi::matrix(const std::string& id, const HttpRequest& request) const {
  const std::string metric =
      request.parameter("metric").empty() ? "energy" : std::string(request.parameter("metric"));
  const auto passes = passes_of(request);
  if (!passes) {
    return problem(passes.error());
  }
  const bool by_tokens = !request.parameter("from").empty() || !request.parameter("to").empty();
  std::optional<MetricMatrix> values;
  if (value_matrix({}, metric)) {
    const auto run = existing_run(
        parts_.store, id,
        {.tokens = false, .layers = false, .operations = false, .power_samples = false});
    if (!run) {
      return problem(run.error());
    }
    values = value_matrix(run->values, metric, *passes);
  } else {
    std::optional<LayerComponentMatrix> cells;
    if (by_tokens) {
      const auto run =
          existing_run(parts_.store, id,
                       {.tokens = false, .layers = false, .values = false, .power_samples = false});
      if (!run) {
        return problem(run.error());
      }
      cells = cells_of_tokens(*run, *passes);
    } else {
      auto stored = parts_.store.layer_components(id, passes->phase);
      if (!stored || !*stored) {
        return problem(stored ? no_run(id) : stored.error());
      }
      cells = std::move(**stored);
    }
    auto computed = metric_matrix(*cells, metric);
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
  const auto run =
      existing_run(parts_.store, id,
                   {.tokens = false, .layers = false, .values = false, .power_samples = false});
  if (!run) {
    return problem(run.error());
  }
  Json list = Json::array();
  for (const LayerOperation& operation : operations_by_layer(*run, *passes)) {
    list.push_back({{"phase", to_string(operation.phase)},
                    {"layer", layer_json(operation.layer)},
                    {"component", operation.component},
                    {"op", operation.op},
                    {"count", operation.count},
                    {"duration_ms", to_ms(operation.duration)},
                    {"energy_mj", mj(operation.energy)},
                    {"flops", nullable(operation.flops)},
                    {"bytes", nullable(operation.bytes)}});
  }
  return json({{"run_id", id}, {"operations", std::move(list)}});
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
  const Json body = Json::parse(request.body, nullptr, false);
  const Json ids = body.is_object() && body.contains("run_ids") ? body["run_ids"] : Json();
  if (!ids.is_array() || ids.size() < 2 || ids.size() > kMostCompared ||
      !std::ranges::all_of(ids, [](const Json& id) { return id.is_string(); })) {
    return problem({ErrorCode::invalid_argument,
                    fmt::format("'run_ids' is not a list of 2 to {} ids", kMostCompared),
                    R"(Send for example {"run_ids":["0123456789abcdef","fedcba9876543210"]})"});
  }
  std::string runs;
  for (const Json& id : ids) {
    const auto run = existing_run(
        parts_.store, id.get<std::string>(),
        {.tokens = false, .operations = false, .values = false, .power_samples = false});
    if (!run) {
      return problem(run.error());
    }
    runs += (runs.empty() ? "" : ",") + run_sums_to_json(*run);
  }
  return {.body = fmt::format("{{\"runs\":[{}]}}\n", runs)};
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
  if (parts_.power == nullptr) {
    return json({{"running", false},
                 {"sources", Json::array()},
                 {"domains", Json::array()},
                 {"power_mw", nullptr},
                 {"warnings", Json::array()}});
  }
  const PowerMonitor& monitor = *parts_.power;
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
  if (parts_.power == nullptr || !parts_.power->is_running() || parts_.power->domains().empty()) {
    return;
  }
  if (parts_.power->now().total) {
    parts_.health.ok("power");
    return;
  }
  if (const auto warnings = parts_.power->warnings(); !warnings.empty()) {
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
