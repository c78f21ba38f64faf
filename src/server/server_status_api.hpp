// The part of the API that tells how the server does.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"
#include "server/router.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"

#include <functional>
#include <utility>

namespace enprof {

/// Tells of its power, its health and its metrics. Threads: any thread may call what it adds to the
/// router.
class ServerStatusApi {
 public:
  /// All of it outlives it.
  struct Parts {
    ProfileDatabase& store;
    const RunQueue& queue;
    ServerMetrics& metrics;
    ServerHealth& health;
    /// Gives null while no power is measured.
    std::function<const PowerMonitor*()> power;
    /// What the metrics tell of the stream.
    std::function<ServerMetrics::Gauges()> gauges;
  };

  explicit ServerStatusApi(Parts parts) : parts_(std::move(parts)) {}
  ServerStatusApi(const ServerStatusApi&) = delete;
  ServerStatusApi& operator=(const ServerStatusApi&) = delete;

  /// This outlives the router.
  void add_routes(Router& router);

 private:
  [[nodiscard]] HttpResponse power_status() const;
  [[nodiscard]] HttpResponse health() const;
  [[nodiscard]] HttpResponse metrics() const;
  /// Takes the sensors' state into the health report.
  void note_power() const;
  /// Likewise the store's.
  StoreHealth look_at_store() const;

  Parts parts_;
};

}  // namespace enprof
