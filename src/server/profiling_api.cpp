#include "server/profiling_api.hpp"

#include "profile/run_id.hpp"
#include "report/json_figures.hpp"
#include "server/dashboard_assets.hpp"
#include "server/dashboard_page.hpp"
#include "server/existing_run.hpp"
#include "server/json_answer.hpp"
#include "server/openapi.hpp"
#include "server/problem.hpp"
#include "server/run_request_json.hpp"

#include <fmt/format.h>

#include <utility>

namespace enprof {

ProfilingApi::ProfilingApi(Parts parts)
    : parts_(std::move(parts)),
      history_(parts_.store, parts_.under_way),
      experiments_(parts_.store),
      status_({.store = parts_.store,
               .under_way = parts_.under_way,
               .metrics = parts_.metrics,
               .health = parts_.health,
               .program = parts_.program,
               .power = parts_.power,
               .gauges = parts_.gauges}) {
  add_routes();
}

HttpResponse ProfilingApi::handle(const HttpRequest& request) const {
  return router_.route(request);
}

void ProfilingApi::add_routes() {
  using Request = const HttpRequest&;
  using Captures = const Router::Captures&;
  const Router::Accepts body{.body = true};
  router_.add(
      "POST", "/api/profiling/generate", [this](Request r, Captures) { return generate(r); }, body);
  history_.add_routes(router_);
  experiments_.add_routes(router_);
  router_.add("DELETE", "/api/profiling/run/{id}",
              [this](Request, Captures c) { return delete_run(c[0]); });
  router_.add(
      "PATCH", "/api/profiling/run/{id}",
      [this](Request r, Captures c) { return edit_run(c[0], r); }, body);
  router_.add("GET", "/api/models", [this](Request, Captures) { return list_models(); });
  status_.add_routes(router_);
  router_.add("GET", "/api/openapi.json", [](Request, Captures) {
    return HttpResponse{.content_type = "application/json",
                        .body = std::string(openapi_document())};
  });
  const auto page = [](Request r, Captures) { return dashboard_page(r); };
  const Router::Accepts anything{.any_parameter = true};
  router_.add("GET", "/", page, anything);
  for (const DashboardAsset& asset : dashboard_assets()) {
    router_.add("GET", asset.path, page, anything);
  }
}

HttpResponse ProfilingApi::takes_no_orders() const {
  return problem(409, {ErrorCode::unsupported,
                       fmt::format("This server belongs to `{}`, which measures a program of its "
                                   "own: it runs no models",
                                   parts_.program),
                       "Start a server that does: enprof serve --models-dir DIR"});
}

HttpResponse ProfilingApi::generate(const HttpRequest& request) const {
  if (parts_.queue == nullptr || parts_.models == nullptr) {
    return takes_no_orders();
  }
  auto task = parse_run_request(request.body);
  if (!task) {
    return problem(task.error());
  }
  if (const auto model = parts_.models->open(task->model); !model) {
    return problem(model.error());
  }
  task->run_id = make_run_id();
  const std::string id = task->run_id;
  const auto position = parts_.queue->submit(std::move(*task));
  if (!position) {
    return problem(position.error());
  }
  HttpResponse response = json_answer({{"run_id", id}, {"position", *position}}, 202);
  response.headers.emplace_back("Location", "/api/profiling/run/" + id);
  return response;
}

HttpResponse ProfilingApi::delete_run(const std::string& id) const {
  if (parts_.queue != nullptr && parts_.queue->cancel(id)) {
    return json_answer({{"run_id", id}, {"status", "cancelling"}}, 202);
  }
  if (parts_.queue == nullptr && parts_.under_way.state(id)) {
    return problem(
        409, {ErrorCode::busy,
              fmt::format("Run {} is that of a command, which this server does not end", id),
              fmt::format("End the command where `{}` was started: Ctrl-C.", parts_.program)});
  }
  const auto deleted = parts_.store.delete_run(id);
  if (!deleted) {
    return problem(deleted.error());
  }
  return *deleted ? json_answer({{"run_id", id}, {"status", "deleted"}})
                  : problem(run_not_found(id));
}

HttpResponse ProfilingApi::edit_run(const std::string& id, const HttpRequest& request) const {
  const auto tags = parse_tags(request.body);
  if (!tags) {
    return problem(tags.error());
  }
  if (parts_.under_way.state(id) == RunsUnderWay::State::queued) {
    return problem({ErrorCode::busy, fmt::format("Run {} has not begun", id),
                    "Its tags can be changed when it has ended."});
  }
  const auto done = parts_.store.set_tags(id, *tags);
  if (!done) {
    return problem(done.error());
  }
  return *done ? json_answer({{"run_id", id}, {"tags", *tags}}) : problem(run_not_found(id));
}

HttpResponse ProfilingApi::list_models() const {
  if (parts_.models == nullptr) {
    return json_answer({{"models", Json::array()}});
  }
  const auto models = parts_.models->list();
  if (!models) {
    parts_.health.failed("models", models.error());
    return problem(models.error());
  }
  parts_.health.ok("models");
  Json list = Json::array();
  for (const ModelDirectory::Entry& model : *models) {
    list.push_back({{"name", model.name}, {"bytes", model.bytes}});
  }
  return json_answer({{"models", std::move(list)}});
}

}  // namespace enprof
