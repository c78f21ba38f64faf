#include "cli/command_server.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"
#include "server/publish_run.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};

/// An exception would end the command's measurement.
void serve(HttpServer& server) {
  name_this_thread("enprof-serve");
  try {
    server.run();
  } catch (const std::exception& error) {
    kLog.error("The run is no longer served: {}", error.what());
  }
}

}  // namespace

CommandServer::CommandServer(const Parts& parts)
    : hub_(EventHub::first_number_at(std::chrono::system_clock::now())),
      api_({.store = parts.store,
            .under_way = present_,
            .metrics = metrics_,
            .health = parts.health,
            .program = "enprof exec",
            .power = [power = &parts.power] { return power->monitor(); },
            .gauges = [this] { return stream_gauges(*server_); }}),
      captures_(parts.store, metrics_),
      requests_(publisher_, parts.requests) {
  parts.health.ok("store");
}

Result<std::unique_ptr<CommandServer>> CommandServer::open(const ServerOptions& options,
                                                           const Parts& parts) {
  std::unique_ptr<CommandServer> opened(new CommandServer(parts));
  auto server = options.open(
      [api = &opened->api_](const HttpRequest& request) { return api->handle(request); },
      opened->hub_);
  if (!server) {
    return std::unexpected(std::move(server.error()));
  }
  opened->server_ = *std::move(server);
  auto thread = start_thread("The thread of the server",
                             [serving = opened->server_.get()] { serve(*serving); });
  if (!thread) {
    return std::unexpected(std::move(thread.error()));
  }
  opened->thread_ = *std::move(thread);
  opened->captures_.look();  // those before are not counted
  return opened;
}

CommandServer::~CommandServer() {
  if (thread_.joinable()) {
    server_->stop();
    thread_.join();
  }
}

void CommandServer::on_begin(InferencePipelineProfiler& profiler, PowerMonitor* power) {
  publish_run(profiler, power, publisher_, monotonic_clock());
}

void CommandServer::on_start(const std::string& run_id, Instant begin) {
  run_id_ = run_id;
  present_.begin(run_id);
  requests_.start(run_id, begin);
}

void CommandServer::on_end() { requests_.end(); }

void CommandServer::on_outcome(const CommandOutcome& outcome) {
  present_.end();
  if (outcome.run != nullptr) {
    publisher_.publish_figures(*outcome.run);
    metrics_.count(*outcome.run);
    captures_.look();
  } else if (!run_id_.empty() && outcome.error) {
    requests_.end();
    publisher_.publish_failure(run_id_, *outcome.error);
  }
  run_id_.clear();
}

}  // namespace enprof
