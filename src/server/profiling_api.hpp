// The HTTP API, without the sockets.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"
#include "server/model_directory.hpp"
#include "server/router.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Answers what /api/openapi.json describes, and hands out the dashboard.
/// Threads: any thread may call handle().
class ProfilingApi {
 public:
  /// What it works on; all of it outlives it. `power` gives null while no power is
  /// measured.
  struct Parts {
    ProfileDatabase& store;
    RunQueue& queue;
    const ModelDirectory& models;
    ServerMetrics& metrics;
    ServerHealth& health;
    std::function<const PowerMonitor*()> power = [] { return nullptr; };
    /// What the metrics tell of the stream.
    std::function<ServerMetrics::Gauges()> gauges;
  };

  explicit ProfilingApi(Parts parts);

  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const;
  /// Method and pattern of all that it answers, the dashboard's files among them.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const {
    return router_.routes();
  }
  /// What one of them accepts beside its path.
  [[nodiscard]] Router::Accepts accepts(std::string_view method, std::string_view pattern) const {
    return router_.accepts(method, pattern);
  }

 private:
  using Captures = Router::Captures;

  void add_routes();
  [[nodiscard]] HttpResponse generate(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse list_runs(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse resolve(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse get_run(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse summary(const std::string& id) const;
  [[nodiscard]] HttpResponse pipeline(const std::string& id) const;
  [[nodiscard]] HttpResponse power(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse matrix(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] Result<std::optional<LayerComponentMatrix>> cells_of(const std::string& id,
                                                                     const PassRange& passes) const;
  [[nodiscard]] HttpResponse operations(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse delete_run(const std::string& id) const;
  [[nodiscard]] HttpResponse edit_run(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse compare(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse list_models() const;
  [[nodiscard]] HttpResponse power_status() const;
  [[nodiscard]] HttpResponse health() const;
  void note_power() const;
  /// Takes the store's state into the health report.
  StoreHealth look_at_store() const;
  [[nodiscard]] HttpResponse page(const HttpRequest& request) const;

  Parts parts_;
  Router router_;
};

}  // namespace enprof
