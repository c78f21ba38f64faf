// The HTTP API, without the sockets.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/experiments_api.hpp"
#include "server/http_message.hpp"
#include "server/model_directory.hpp"
#include "server/router.hpp"
#include "server/run_history_api.hpp"
#include "server/run_queue.hpp"
#include "server/runs_under_way.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"
#include "server/server_status_api.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Answers what /api/openapi.json describes, and serves the dashboard. Threads: any thread may call
/// handle().
class ProfilingApi {
 public:
  /// The parts that it uses; all must outlive it. `power` returns null while power is not measured.
  struct Parts {
    ProfileDatabase& store;
    const RunsUnderWay& under_way;
    /// Null: clients cannot order runs.
    RunQueue* queue = nullptr;
    const ModelDirectory* models = nullptr;  ///< null: there are none
    ServerMetrics& metrics;
    ServerHealth& health;
    std::string_view program = "enprof serve";  ///< whose server it is, as a user types it
    std::function<const PowerMonitor*()> power = [] { return nullptr; };
    /// The metrics of the live stream.
    std::function<ServerMetrics::Gauges()> gauges;
  };

  explicit ProfilingApi(Parts parts);

  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const;
  /// Method and pattern of every route, including the dashboard's files.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const {
    return router_.routes();
  }
  /// The parameters and body that a route accepts.
  [[nodiscard]] Router::Accepts accepts(std::string_view method, std::string_view pattern) const {
    return router_.accepts(method, pattern);
  }

 private:
  void add_routes();
  [[nodiscard]] HttpResponse generate(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse delete_run(const std::string& id) const;
  [[nodiscard]] HttpResponse edit_run(const std::string& id, const HttpRequest& request) const;
  [[nodiscard]] HttpResponse list_models() const;
  [[nodiscard]] HttpResponse takes_no_orders() const;

  Parts parts_;
  RunHistoryApi history_;
  ExperimentsApi experiments_;
  ServerStatusApi status_;
  Router router_;
};

}  // namespace enprof
