// Serves what a command does while `enprof exec` measures it.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/profile_database.hpp"

#include "cli/server_options.hpp"
#include "live/event_hub.hpp"
#include "server/capture_publisher.hpp"
#include "server/capture_watch.hpp"
#include "server/http_server.hpp"
#include "server/live_publisher.hpp"
#include "server/present_run.hpp"
#include "server/profiling_api.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"
#include "session/command_session.hpp"
#include "session/live_requests.hpp"
#include "session/session_power.hpp"

#include <memory>
#include <string>
#include <thread>

namespace enprof {

/// The dashboard, the API and the live stream on a thread of their own, from its making to its end.
/// Its end tells the watchers, and waits at most about a second for them. Threads: that of the
/// session, which it observes.
class CommandServer final : public CommandObserver {
 public:
  /// All must outlive it.
  struct Parts {
    ProfileDatabase& store;
    ServerHealth& health;
    const SessionPower& power;
    LiveRequests& requests;
  };
  /// Listens and serves. Errors: those of ServerOptions::open; unavailable, if there is no thread
  /// left.
  [[nodiscard]] static Result<std::unique_ptr<CommandServer>> open(const ServerOptions& options,
                                                                   const Parts& parts);
  ~CommandServer() override;

  void on_begin(InferencePipelineProfiler& profiler, PowerMonitor* power) override;
  void on_start(const std::string& run_id, Instant begin) override;
  void on_end() override;
  /// How the session's task ended.
  void on_outcome(const CommandOutcome& outcome);

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

 private:
  explicit CommandServer(const Parts& parts);

  EventHub hub_;
  LivePublisher publisher_{hub_};
  ServerMetrics metrics_;
  PresentRun present_;
  ProfilingApi api_;
  CaptureWatch captures_;
  CapturePublisher requests_;
  std::string run_id_;  // of the present task
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace enprof
