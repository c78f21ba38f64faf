#include "server/server_status_api.hpp"

#include "base/counted.hpp"
#include "report/format.hpp"
#include "report/json_figures.hpp"
#include "server/json_answer.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace enprof {

void ServerStatusApi::add_routes(Router& router) {
  using Request = const HttpRequest&;
  using Captures = const Router::Captures&;
  for (const std::string_view path : {"/api/power/status", "/api/profiling/powermetrics/status"}) {
    router.add("GET", path, [this](Request, Captures) { return power_status(); });
  }
  router.add("GET", "/healthz", [](Request, Captures) {
    return HttpResponse{.content_type = "text/plain", .body = "ok\n"};
  });
  router.add("GET", "/api/health", [this](Request, Captures) { return health(); });
  router.add("GET", "/metrics", [this](Request, Captures) { return metrics(); });
}

HttpResponse ServerStatusApi::metrics() const {
  ServerMetrics::Gauges gauges = parts_.gauges();
  if (const PowerMonitor* power = parts_.power()) {
    gauges.power = power->now().total;
    for (const SourceRate& rate : power->rates()) {
      gauges.read_errors.emplace_back(rate.source, rate.failed_readings);
    }
  }
  update_store_health();
  update_power_health();
  for (const ServerHealth::Component& component : parts_.health.components()) {
    gauges.components.emplace_back(component.name, !component.error);
  }
  return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                      .body = parts_.metrics.text(gauges)};
}

HttpResponse ServerStatusApi::power_status() const {
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
    return json_answer({{"running", false},
                        {"sources", Json::array()},
                        {"domains", Json::array()},
                        {"power_mw", nullptr},
                        {"warnings", std::move(warnings)}});
  }
  const PowerMonitor& monitor = *measuring;
  Json domains = Json::array();
  const std::vector<Domain> linked = monitor.trusted_domains().domains;
  for (const Domain& domain : linked) {
    domains.push_back(
        {{"name", domain.name},
         {"source", domain.source},
         {"method", to_string(domain.method)},
         {"within", domain.parent ? Json(linked[*domain.parent].name) : Json(nullptr)}});
  }
  Json warnings = Json::array();
  for (const Warning& warning : monitor.warnings()) {
    warnings.push_back(
        {{"code", warning.code}, {"message", warning.message}, {"hint", text(warning.hint)}});
  }
  return json_answer({{"running", monitor.is_running()},
                      {"sources", monitor.sources()},
                      {"domains", std::move(domains)},
                      {"power_mw", mw(monitor.now().total)},
                      {"warnings", std::move(warnings)}});
}

/// A sensor may have vanished since the start, or come back.
void ServerStatusApi::update_power_health() const {
  const PowerMonitor* const power = parts_.power();
  if (power == nullptr || !power->is_running() || power->domains().empty()) {
    return;
  }
  if (power->now().total) {
    parts_.health.ok("power");
    return;
  }
  // Refused sensors come first. They have been known since the start, and another source replaces
  // them.
  const auto warnings = power->warnings();
  if (warnings.size() > power->refused_sources().size()) {
    parts_.health.failed("power",
                         {ErrorCode::unavailable, warnings.back().message, warnings.back().hint});
  }
}

StoreHealth ServerStatusApi::update_store_health() const {
  StoreHealth store = parts_.store.health();
  if (const auto& error = store.last_error ? store.last_error : store.read_error) {
    parts_.health.failed("store", *error);
  } else if (store.unsaved_runs > 0) {
    parts_.health.failed(
        "store",
        {ErrorCode::unavailable,
         fmt::format("{} could not be saved yet: kept in memory",
                     counted(store.unsaved_runs, "finished run")),
         "The server saves them as soon as the database accepts them; its log says why saving "
         "fails."});
  } else {
    parts_.health.ok("store");
  }
  return store;
}

HttpResponse ServerStatusApi::health() const {
  const StoreHealth store = update_store_health();
  update_power_health();
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
  return json_answer({{"status", well ? "ok" : "degraded"},
                      {"program", parts_.program},
                      {"running", text(parts_.under_way.running())},
                      {"queued", parts_.under_way.waiting()},
                      {"components", std::move(components)}});
}

}  // namespace enprof
