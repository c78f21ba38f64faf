#include "cli/serve_command.hpp"

#include "base/log.hpp"
#include "base/periodic_thread.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/dashboard_assets.hpp"
#include "server/http_server.hpp"
#include "server/model_directory.hpp"
#include "server/profiling_api.hpp"
#include "server/run_worker.hpp"
#include "server/server_url.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
/// How soon a signal is noticed.
constexpr std::chrono::milliseconds kSignalPeriod{50};

/// How soon a run that could not be saved is tried again, and a database at rest is closed.
constexpr std::chrono::seconds kTendPeriod{1};

}  // namespace

void ServeCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "serve", "Serve the HTTP API, the live stream and the dashboard on this machine");
  CLI::App& app = *app_;
  app.footer(
      "The dashboard is at http://HOST:PORT/. On another address than this machine's own, clients "
      "need the token.");
  app.add_option("--host", host_, "Address to listen on")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--port", port_, "Port to listen on; 0: any that is free")->capture_default_str();
  app.add_option("--models-dir", models_dir_, "Directory whose GGUF files clients may run")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--token", token_,
                 "What clients must send; made up and printed where it is needed and not given. "
                 "Other users of this machine see options: better in the variable")
      ->type_name("TOKEN")
      ->envname("ENPROF_TOKEN");
  app.add_option("--queue", queue_, "Runs that may wait")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--threads", engine_.threads, "CPU threads; 0: one for each CPU of ours")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--ngl,--gpu-layers", engine_.gpu_layers, "Layers to offload to the GPU; -1: all")
      ->check(CLI::Range(-1, 100'000))
      ->capture_default_str();
  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str();
  power_interval_.declare(app);
  app.add_option("--baseline-s", baseline_s_, "Idle measurement at the start; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even where the machine is not idle");
  database_.declare(app);
}

Result<void> ServeCommand::choose_token() {
  if (!token_.empty() || AccessPolicy::is_loopback(host_)) {
    return {};
  }
  auto made = AccessPolicy::make_token();
  if (!made) {
    return std::unexpected(made.error());
  }
  token_ = std::move(*made);
  return {};
}

/// Power that cannot be measured is no reason not to serve: runs then have their times.
std::optional<Warning> ServeCommand::start_power(PowerMonitor& monitor, ServerHealth& health,
                                                 const Interrupt& interrupt) const {
  if (const auto started = monitor.start(power_interval_.interval()); !started) {
    kLog.error("Failed to start power monitoring: {}", started.error().message);
    health.failed("power", started.error());
    return std::nullopt;
  }
  health.ok("power");
  return measure_baseline(monitor, baseline_s_, interrupt.flag(),
                          baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
}

int ServeCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return exit_failed;
  };
  const Interrupt interrupt;
  if (const auto chosen = choose_token(); !chosen) {
    return failed(chosen.error());
  }
  const ModelDirectory models(models_dir_);
  if (const auto list = models.list(); !list) {
    return failed(list.error());
  }
  auto store = database_.open();
  if (!store) {
    return failed(store.error());
  }
  auto monitor = PowerMonitor::open(power_, power_environment());
  if (!monitor && monitor.error().code == ErrorCode::invalid_argument) {
    print_error(monitor.error());
    return exit_usage;
  }

  EventHub hub(EventHub::first_number_at(std::chrono::system_clock::now()));
  LivePublisher publisher(hub);
  ServerMetrics metrics;
  ServerHealth health;
  health.ok("store");
  health.ok("engine");
  PowerMonitor* const power = monitor ? &*monitor : nullptr;
  HttpServer* serving = nullptr;  // the API's gauges ask it; it asks the API
  LlamaRunEngine engine(models, engine_);
  RunWorker worker(
      {.engine = engine,
       .store = *store,
       .publisher = publisher,
       .metrics = metrics,
       .health = health,
       .power = power,
       .is_watched = [&] { return serving->watchers() > 0; },
       .wants_operations = [&] { return serving->subscribers("operation_metrics") > 0; }});
  RunQueue queue(
      queue_,
      [&](const RunTask& task, const std::atomic<bool>& cancel) { worker.work(task, cancel); },
      [&](const RunTask& task) { worker.drop(task); });
  const ProfilingApi api({.store = *store,
                          .queue = queue,
                          .models = models,
                          .metrics = metrics,
                          .health = health,
                          .power = power,
                          .gauges = [&] {
                            return ServerMetrics::Gauges{
                                .stream_clients = serving->watchers(),
                                .dropped_clients = serving->dropped_watchers(),
                                .dropped_events = serving->dropped_events(),
                                .queued_runs = queue.waiting()};
                          }});
  auto server = HttpServer::open(
      {.host = host_, .port = port_, .token = token_},
      [&](const HttpRequest& request) { return api.handle(request); }, hub);
  if (!server) {
    return failed(server.error());
  }
  serving = server->get();
  if (monitor) {
    if (const auto warning = start_power(*monitor, health, interrupt)) {
      worker.warn_each_run(*warning);
    }
    if (interrupt.requested()) {  // amid the baseline: nobody was served yet
      monitor->stop();
      return exit_done;
    }
  } else {
    health.failed("power", monitor.error());
    print_note("no power is measured: " + monitor.error().message);
  }

  const ServerUrl url{.host = host_, .port = serving->port(), .token = token_};
  print_note(fmt::format("serving {}{}",
                         dashboard_assets().empty() ? "without a dashboard on " : "",
                         url.text_with_token()));
  print_note(fmt::format("models: {} · runs: {} · Ctrl-C ends", models.path().string(),
                         store->path().string()));
  std::thread signals([&] {
    while (!interrupt.requested()) {
      std::this_thread::sleep_for(kSignalPeriod);
    }
    const std::string run = queue.running();
    print_note(run.empty() ? "stopping"
                           : fmt::format("stopping: run {} is cancelled and saved", run));
    queue.stop();
    serving->stop();
  });
  PeriodicThread tending;  // of the database
  if (const auto tended = tending.start({.name = "enprof-tending",
                                         .purpose = "look after the database",
                                         .period = kTendPeriod,
                                         .first = kTendPeriod},
                                        [&] { store->tend(); });
      !tended) {
    kLog.error("{}", tended.error().message);
  }
  serving->run();
  tending.stop();
  signals.join();
  if (monitor) {
    monitor->stop();
  }
  return exit_done;
}

}  // namespace enprof
