#include "server/profiling_api.hpp"

#include "report/run_csv.hpp"
#include "report/run_json.hpp"
#include "server/dashboard_assets.hpp"
#include "server/http_request.hpp"
#include "server/openapi.hpp"
#include "server/present_run.hpp"
#include "server/problem.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class ProfilingApiTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_) << store_.error().message; }

  ProfilingApi api(const PowerMonitor* power = nullptr) {
    return ProfilingApi({.store = *store_,
                         .under_way = queue_,
                         .queue = &queue_,
                         .models = &models_,
                         .metrics = metrics_,
                         .health = health_,
                         .power = [power] { return power; },
                         .gauges = [] { return ServerMetrics::Gauges{}; }});
  }
  static HttpResponse get(const ProfilingApi& api, const std::string& target) {
    HttpRequest request = parse_target(target);
    request.method = "GET";
    return read_whole(api.handle(request));
  }
  /// Reads the streamed part of the body, too.
  static HttpResponse read_whole(HttpResponse response) {
    while (response.stream) {
      const auto more = response.stream->next(response.body);
      if (!more) {
        return problem(more.error());
      }
      if (!*more) {
        response.stream.reset();
      }
    }
    return response;
  }
  /// The store's state in GET /api/health.
  static std::string store_state(const ProfilingApi& api) {
    const auto health = nlohmann::json::parse(get(api, "/api/health").body);
    for (const auto& component : health["components"]) {
      if (component["name"] == "store") {
        return component["state"];
      }
    }
    return "absent";
  }

  testing::TempDir directory_;
  std::filesystem::path database_ = directory_.path() / "profiles.db";
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(database_);
  RunQueue queue_{1, [](const RunTask&, const std::stop_token&) {},
                  [](const RunTask&, RunQueue::Reason) {}};
  ModelDirectory models_{directory_.path()};
  ServerMetrics metrics_;
  ServerHealth health_;
};

TEST_F(ProfilingApiTest, PowerIsThatOfNowWithoutAnyRun) {
  testing::ManualClock clock;
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>(
      "fake", std::vector<std::string>{"cpu"}, clock, std::make_shared<testing::FakeSensor>()));
  PowerMonitor monitor(std::move(sources), clock);
  const ProfilingApi served = api(&monitor);
  EXPECT_THAT(get(served, "/metrics").body, Not(HasSubstr("\nenprof_power_watts ")));
  ASSERT_TRUE(monitor.start(std::chrono::milliseconds{1}));
  clock.pass(std::chrono::milliseconds{1});
  EXPECT_THAT(get(served, "/metrics").body, HasSubstr("\nenprof_power_watts "));
}

TEST_F(ProfilingApiTest, AStoreThatCannotBeReadIsFailingUntilItCan) {
  const ProfilingApi served = api();
  EXPECT_EQ(store_state(served), "ok");
  std::filesystem::remove(database_);
  EXPECT_EQ(get(served, "/api/profiling/runs").status, 500);
  EXPECT_EQ(store_state(served), "failing");
  EXPECT_THAT(get(served, "/metrics").body,
              HasSubstr("enprof_component_up{component=\"store\"} 0"));
  EXPECT_EQ(get(served, "/api/profiling/runs").status, 200);  // it has reconnected
  EXPECT_EQ(store_state(served), "ok");
  EXPECT_EQ(get(served, "/api/profiling/run/none").status, 404);  // a missing run is not a failure
                                                                  // of the store
  EXPECT_EQ(store_state(served), "ok");
}

TEST_F(ProfilingApiTest, PartsOfARunAreWhatTheWholeHas) {
  using Json = nlohmann::json;
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(store_->save_run(run));
  const ProfilingApi served = api();
  const std::string path = "/api/profiling/run/" + run.run_id;
  const Json whole = Json::parse(get(served, path + "?include=operations").body);
  Json head = whole;
  for (const char* list :
       {"tokens", "layers", "components", "operations", "operation_table", "values"}) {
    EXPECT_EQ(head.erase(list), 1U) << list;
  }
  for (const char* series : {"samples", "readings"}) {
    EXPECT_EQ(head["power"].erase(series), 1U) << series;
  }
  EXPECT_EQ(Json::parse(get(served, path + "/summary").body), head);
  EXPECT_EQ(
      Json::parse(get(served, path + "/pipeline").body),
      (Json{{"run_id", run.run_id}, {"phases", whole["phases"]}, {"sections", whole["sections"]}}));
  ASSERT_TRUE(store_->save_run(testing::sample_run("another")));
  HttpRequest compare = parse_target("/api/profiling/compare");
  compare.method = "POST";
  compare.body = Json{{"run_ids", {"another", run.run_id}}}.dump();
  Json compared = Json::parse(read_whole(served.handle(compare)).body);
  ASSERT_EQ(compared["runs"].size(), 2U);
  EXPECT_EQ(compared["runs"][0]["run_id"], "another");
  compared["runs"][0]["run_id"] = run.run_id;
  EXPECT_EQ(compared["runs"][0], compared["runs"][1]);
  EXPECT_EQ(compared["runs"][1]["components"], whole["components"]);
  EXPECT_EQ(compared["runs"][1]["totals"], whole["totals"]);
  EXPECT_FALSE(compared["runs"][1].contains("tokens"));
  EXPECT_FALSE(compared["runs"][1].contains("operation_table"));
}

TEST_F(ProfilingApiTest, AStreamedRunEqualsTheRun) {
  ProfiledRun run = testing::sample_run();
  testing::lengthen(run);
  ASSERT_TRUE(store_->save_run(run));
  const ProfilingApi served = api();
  const std::string path = "/api/profiling/run/" + run.run_id;
  const std::string json = run_to_json(run);
  EXPECT_GT(json.size(), 10 * TextStream::kPiece);
  EXPECT_TRUE(get(served, path + "?include=operations").body == json);
  const std::string exported = "/api/profiling/export/" + run.run_id;
  EXPECT_TRUE(get(served, exported).body == json);
  RunInMemory memory(run);
  for (const std::string_view table : csv_table_names()) {
    RunCsv csv(memory, table);
    std::string text;
    while (csv.next(text).value()) {
    }
    EXPECT_TRUE(get(served, exported + "?format=csv&table=" + std::string(table)).body == text)
        << table;
  }
  run.operation_table = {};
  run.values = {};
  run.power.samples.clear();
  run.power.readings.clear();
  EXPECT_TRUE(get(served, path).body == run_to_json(run));
}

TEST_F(ProfilingApiTest, ARunThatIsDeletedWhileItIsReadHasNoEnd) {
  ProfiledRun run = testing::sample_run();
  testing::lengthen(run);
  ASSERT_TRUE(store_->save_run(run));
  HttpRequest request = parse_target("/api/profiling/run/" + run.run_id);
  request.method = "GET";
  HttpResponse response = api().handle(request);
  ASSERT_TRUE(response.stream->next(response.body).value());
  ASSERT_TRUE(store_->delete_run(run.run_id).value());
  const auto more = response.stream->next(response.body);
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().message, HasSubstr("was deleted or replaced while it was read"));
}

TEST_F(ProfilingApiTest, ATokensMatrixIsThatOfItsOwnPasses) {
  using Json = nlohmann::json;
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(store_->save_run(run));
  const ProfilingApi served = api();
  const std::string matrix = "/api/profiling/run/" + run.run_id + "/matrix?metric=duration";
  const Json all = Json::parse(get(served, matrix + "&from=-1").body);
  const Json first = Json::parse(get(served, matrix + "&from=0&to=0").body);
  EXPECT_EQ(first["layers"], all["layers"]);
  EXPECT_EQ(first["components"], all["components"]);
  // Each operation of the sample run occurs once per pass, and the run has three passes of equal
  // length.
  EXPECT_NEAR(first["values"][0][0].get<double>() * 3, all["values"][0][0].get<double>(), 1e-9);
  EXPECT_EQ(get(served, "/api/profiling/run/none/matrix?from=0&to=0").status, 404);
  EXPECT_EQ(get(served, "/api/profiling/run/none/matrix?metric=sparsity").status, 404);
  EXPECT_EQ(get(served, "/api/profiling/run/none/operations").status, 404);
}

TEST_F(ProfilingApiTest, AMissingRunIsFoundBeforeTheOthersAreCompared) {
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(store_->save_run(run));
  HttpRequest compare = parse_target("/api/profiling/compare");
  compare.method = "POST";
  compare.body = nlohmann::json{{"run_ids", {run.run_id, "none"}}}.dump();
  EXPECT_EQ(api().handle(compare).status, 404);
}

TEST_F(ProfilingApiTest, AListOfRunsWithLongPromptsIsMadeRunByRun) {
  for (const char* const id : {"a", "b", "c"}) {
    ProfiledRun run = testing::sample_run(id);
    run.prompt = std::string(200'000, *id);
    ASSERT_TRUE(store_->save_run(run));
  }
  HttpRequest request = parse_target("/api/profiling/runs?limit=2");
  request.method = "GET";
  HttpResponse response = api().handle(request);
  ASSERT_TRUE(response.stream);
  EXPECT_TRUE(response.stream->next(response.body).value());
  EXPECT_LT(response.body.size(), 250'000U) << "one prompt at a time";
  response = read_whole(std::move(response));
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["total"], 3);
  ASSERT_EQ(json["runs"].size(), 2U);
  EXPECT_EQ(json["runs"][1]["prompt"],
            std::string(200'000, json["runs"][1]["run_id"].get<std::string>()[0]));
}

TEST_F(ProfilingApiTest, AnIdThatMayHoldAnythingMakesAPlainFileName) {
  const std::string id = "a\"b\r\nSet-Cookie: x";
  ASSERT_TRUE(store_->save_run(testing::sample_run(id)));
  const HttpResponse response =
      get(api(), "/api/profiling/export/a%22b%0D%0ASet-Cookie%3A%20x?format=json");
  ASSERT_EQ(response.status, 200);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_THAT(response.headers[0].second,
              MatchesRegex("attachment; filename=\"enprof-[0-9A-Za-z_-]+\\.json\""));
}

TEST_F(ProfilingApiTest, TheDocumentDescribesEveryParameterAndNoOther) {
  const ProfilingApi served = api();
  const auto document = nlohmann::json::parse(openapi_document());
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      const Router::Accepts accepts = served.accepts(upper, path);
      std::set<std::string_view> documented;
      const auto parameters = operation.value("parameters", nlohmann::json::array());
      for (const auto& parameter : parameters) {
        if (parameter["in"] == "query") {
          documented.insert(parameter["name"].get_ref<const std::string&>());
        }
      }
      EXPECT_EQ(std::set(accepts.parameters.begin(), accepts.parameters.end()), documented)
          << upper << " " << path;
      EXPECT_EQ(accepts.body, operation.contains("requestBody")) << upper << " " << path;
      EXPECT_TRUE(operation["responses"].contains("400")) << upper << " " << path;
    }
  }
}

TEST_F(ProfilingApiTest, AnUnknownOrInvalidParameterIsRefusedWithASuggestion) {
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(store_->save_run(run));
  const ProfilingApi served = api();
  const std::string path = "/api/profiling/run/" + run.run_id;
  const auto hint = [&](const std::string& target) {
    const HttpResponse response = get(served, target);
    EXPECT_EQ(response.status, 400) << target;
    EXPECT_EQ(response.content_type, "application/problem+json") << target;
    const auto problem = nlohmann::json::parse(response.body);
    return problem["hint"].is_string() ? problem["hint"].get<std::string>() : "";
  };
  const std::string runs = "/api/profiling/runs";
  const std::vector<std::pair<std::string, std::string>> wrong{
      {runs + "?order=foo", "asc"},
      {runs + "?order=DESC", "desc"},
      {runs + "?order=", "asc"},
      {runs + "?sort_by=enrgy", "'energy'"},
      {runs + "?sortby=energy", "'sort_by'"},
      {runs + "?limits=3", "'limit'"},
      {runs + "?limit=", ""},
      {runs + "?limit=1&limit=2", "once"},
      {runs + "?offset=-1", ""},
      {runs + "?date_from=", "2026-11-24"},
      {runs + "?tag=a&tags=a", "'tag'"},
      {path + "?include=operation", "'operations'"},
      {path + "?includes=operations", "'include'"},
      {path + "/summary?include=operations", "none"},
      {path + "/power?point=3", "'points'"},
      {path + "/matrix?metric=enegry", "'energy'"},
      {path + "/matrix?metrics=energy", "'metric'"},
      {path + "/matrix?phase=decod", "'decode'"},
      {path + "/operations?metric=energy", "phase"},
      {path + "/operations?from=x", ""},
      {"/api/profiling/export/" + run.run_id + "?format=josn", "'json'"},
      {"/api/profiling/export/" + run.run_id + "?format=csv&table=token", "'tokens'"},
      {"/api/models?x=1", "none"},
      {"/api/health?verbose=1", "none"},
      {"/healthz?x", "none"},
      {"/metrics?name=x", "none"},
      {"/api/openapi.json?pretty", "none"}};
  for (const auto& [target, meant] : wrong) {
    EXPECT_THAT(hint(target), HasSubstr(meant)) << target;
  }
  EXPECT_EQ(get(served, runs + "?token=s3cret&order=asc&text=sky").status, 200);
  EXPECT_EQ(get(served, "/?run=1").status, 200);  // the page's own parameter
}

TEST_F(ProfilingApiTest, TheDocumentDescribesEveryPathOfTheApiAndNoOther) {
  const ProfilingApi served = api();
  std::set<std::pair<std::string, std::string>> routes;
  for (const auto& [method, pattern] : served.routes()) {
    const auto assets = dashboard_assets();
    const bool is_page =
        pattern == "/" || std::ranges::find(assets, pattern, &DashboardAsset::path) != assets.end();
    if (!is_page) {
      routes.emplace(method, pattern);
    }
  }
  std::set<std::pair<std::string, std::string>> documented;
  const auto document = nlohmann::json::parse(openapi_document());
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      documented.emplace(upper, path);
    }
  }
  EXPECT_EQ(routes, documented);
  EXPECT_GT(routes.size(), 10U);
}

/// The API of a program that measures one of its own: it takes no orders.
class WithoutAQueueTest : public ProfilingApiTest {
 protected:
  [[nodiscard]] static nlohmann::json json(const HttpResponse& response) {
    return nlohmann::json::parse(response.body);
  }
  [[nodiscard]] HttpResponse send(const std::string& method, const std::string& path,
                                  const std::string& body = "") const {
    HttpRequest request = parse_target(path);
    request.method = method;
    request.body = body;
    return read_whole(api_.handle(request));
  }

  PresentRun present_;
  ProfilingApi api_{{.store = *store_,
                     .under_way = present_,
                     .metrics = metrics_,
                     .health = health_,
                     .program = "enprof exec",
                     .gauges = [] { return ServerMetrics::Gauges{}; }}};
};

TEST_F(WithoutAQueueTest, ARunCannotBeOrdered) {
  const HttpResponse refused =
      send("POST", "/api/profiling/generate", R"({"model":"m.gguf","prompt":"Hello"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(json(refused)["message"].get<std::string>(), HasSubstr("`enprof exec`"));
  EXPECT_THAT(json(refused)["hint"].get<std::string>(), HasSubstr("enprof serve"));
  EXPECT_EQ(json(send("GET", "/api/models")),
            (nlohmann::json{{"models", nlohmann::json::array()}}));
}

TEST_F(WithoutAQueueTest, HealthSaysWhoseServerItIsAndWhatRuns) {
  EXPECT_EQ(json(get(api(), "/api/health"))["program"], "enprof serve");
  EXPECT_EQ(json(send("GET", "/api/health"))["program"], "enprof exec");
  EXPECT_TRUE(json(send("GET", "/api/health"))["running"].is_null());
  present_.begin("r1");
  EXPECT_EQ(json(send("GET", "/api/health"))["running"], "r1");
  EXPECT_EQ(send("GET", "/metrics").status, 200);
}

TEST_F(WithoutAQueueTest, ThePresentRunIsRunningAndIsNotDeleted) {
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(store_->save_run(run));
  const std::string path = "/api/profiling/run/" + run.run_id;
  present_.begin(run.run_id);
  EXPECT_EQ(json(send("GET", path))["status"], "running");
  EXPECT_EQ(json(send("GET", "/api/profiling/resolve?run=last"))["run_id"], run.run_id);
  const HttpResponse refused = send("DELETE", path);
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(json(refused)["hint"].get<std::string>(), HasSubstr("Ctrl-C"));
  present_.end();
  EXPECT_EQ(json(send("GET", path))["run_id"], run.run_id);
  EXPECT_EQ(send("DELETE", path).status, 200);
}

}  // namespace
}  // namespace enprof
