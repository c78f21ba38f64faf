// The part of the API that reports the server's state.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"
#include "server/router.hpp"
#include "server/runs_under_way.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"

#include <functional>
#include <string_view>
#include <utility>

namespace enprof {

/// Reports power, health and metrics. Threads: any thread may call the handlers that it adds to the
/// router.
class ServerStatusApi {
 public:
  /// All must outlive it.
  struct Parts {
    ProfileDatabase& store;
    const RunsUnderWay& under_way;
    ServerMetrics& metrics;
    ServerHealth& health;
    std::string_view program;  ///< whose server it is: "enprof serve"
    /// Returns null while power is not measured.
    std::function<const PowerMonitor*()> power;
    /// The metrics of the live stream.
    std::function<ServerMetrics::Gauges()> gauges;
  };

  explicit ServerStatusApi(Parts parts) : parts_(std::move(parts)) {}
  ServerStatusApi(const ServerStatusApi&) = delete;
  ServerStatusApi& operator=(const ServerStatusApi&) = delete;

  /// This object must outlive the router.
  void add_routes(Router& router);

 private:
  [[nodiscard]] HttpResponse power_status() const;
  [[nodiscard]] HttpResponse health() const;
  [[nodiscard]] HttpResponse metrics() const;
  /// Updates the health report from the sensors' state.
  void update_power_health() const;
  /// Updates the health report from the store's state.
  StoreHealth update_store_health() const;

  Parts parts_;
};

}  // namespace enprof
