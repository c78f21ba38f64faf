#include "server/profiling_api.hpp"

#include "server/dashboard_assets.hpp"
#include "server/openapi.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <utility>

namespace enprof {
namespace {

TEST(ProfilingApi, TheDocumentDescribesEveryPathOfTheApiAndNoOther) {
  const testing::TempDir directory;
  auto store = ProfileDatabase::connect(directory.path() / "profiles.db");
  ASSERT_TRUE(store) << store.error().message;
  RunQueue queue(
      1, [](const RunTask&, const std::atomic<bool>&) {}, [](const RunTask&) {});
  const ModelDirectory models(directory.path());
  ServerMetrics metrics;
  ServerHealth health;
  const ProfilingApi api({.store = *store,
                          .queue = queue,
                          .models = models,
                          .metrics = metrics,
                          .health = health,
                          .power = nullptr,
                          .gauges = [] { return ServerMetrics::Gauges{}; }});
  std::set<std::pair<std::string, std::string>> routes;
  for (const auto& [method, pattern] : api.routes()) {
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

}  // namespace
}  // namespace enprof
