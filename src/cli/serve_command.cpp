#include "cli/serve_command.hpp"

#include "base/log.hpp"
#include "cli/console.hpp"
#include "cli/interrupt.hpp"
#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/dashboard_assets.hpp"
#include "server/http_server.hpp"
#include "server/model_directory.hpp"
#include "server/profiling_api.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
/// How soon a signal is noticed.
constexpr std::chrono::milliseconds kSignalPeriod{50};
/// Between two looks at what a run's energy went into so far.
constexpr std::chrono::milliseconds kSettlePeriod{250};

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
                 "What clients must send; made up and printed where it is needed and not given")
      ->type_name("TOKEN");
  app.add_option("--queue", queue_, "Runs that may wait")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--threads", threads_, "CPU threads; 0: one for each CPU of ours")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--ngl,--gpu-layers", gpu_layers_, "Layers to offload to the GPU; -1: all")
      ->check(CLI::Range(-1, 100'000))
      ->capture_default_str();
  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str();
  app.add_option("--power-interval-ms", power_interval_ms_, "Between readings")
      ->check(CLI::Range(0.1, 60'000.0))
      ->capture_default_str();
  app.add_option("--baseline-s", baseline_s_, "Idle measurement at the start; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
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
void ServeCommand::start_power(PowerMonitor& monitor, ServerHealth& health) const {
  if (const auto started = monitor.start(from_ms(power_interval_ms_)); !started) {
    kLog.error("Failed to start power monitoring: {}", started.error().message);
    health.failed("power", started.error());
    return;
  }
  health.ok("power");
  if (baseline_s_ <= 0.0 || monitor.domains().empty()) {
    return;
  }
  StatusLine status;
  status.show(fmt::format("Measuring the idle baseline for {:g} s", baseline_s_));
  const auto baseline = monitor.measure_idle_baseline(from_ms(baseline_s_ * 1e3));
  status.clear();
  if (!baseline) {
    print_note("no idle baseline: " + baseline.error().message);
  }
}

Result<LlamaEngine*> ServeCommand::engine_for(const RunTask& task, const std::atomic<bool>& cancel,
                                              LivePublisher& publisher) {
  if (engine_ && loaded_ == task.model) {
    publisher.model_loading(task.run_id, task.model, 1.0);  // watchers learn which it is
    return &*engine_;
  }
  const auto path = ModelDirectory(models_dir_).find(task.model);
  if (!path) {
    return std::unexpected(path.error());
  }
  engine_.reset();  // two models at once may not fit
  LoadOptions options{.gpu_layers = gpu_layers_, .threads = threads_, .cancel = &cancel};
  options.progress = [&, last = -1.0F](float share) mutable {
    if (share - last >= 0.05F || share >= 1.0F) {
      last = share;
      publisher.model_loading(task.run_id, task.model, static_cast<double>(share));
    }
  };
  auto engine = LlamaEngine::load(*path, options);
  if (!engine) {
    return std::unexpected(engine.error());
  }
  engine_.emplace(std::move(*engine));
  loaded_ = task.model;
  return &*engine_;
}

void ServeCommand::profile(const RunTask& task, const std::atomic<bool>& cancel,
                           const Bench& bench) {
  const RunRequest request{.run_id = task.run_id,
                           .prompt = task.prompt,
                           .model_name = task.model,
                           .tags = task.tags,
                           .experiment = task.experiment,
                           .depth = task.depth,
                           .max_output_tokens = static_cast<std::size_t>(task.max_tokens)};
  const auto refuse = [&](const Error& error) {
    kLog.error("Run {} failed: {}", task.run_id, error.message);
    bench.publisher.failed(task.run_id, error);
    bench.metrics.count_error("engine", std::string(to_string(error.code)));
  };
  const auto engine = engine_for(task, cancel, bench.publisher);
  if (!engine) {
    // Kept all the same: its client was given an id, and need not wonder where the run went.
    InferencePipelineProfiler profiler{nullptr, &bench.store};
    RunScope run = profiler.run(request);
    if (cancel.load()) {
      run.set_finish_reason("cancelled");
      bench.metrics.count(run.finish(RunStatus::cancelled));
      return;
    }
    bench.health.failed("engine", engine.error());
    run.set_finish_reason("error");
    run.warn({"engine", "model_not_loaded", engine.error().message, engine.error().hint});
    bench.metrics.count(run.finish(RunStatus::failed));
    refuse(engine.error());
    return;
  }
  bench.health.ok("engine");
  const Instant begun = monotonic_clock().now();
  const auto warn = [&](const Warning& warning) {
    bench.publisher.warn(task.run_id, monotonic_clock().now() - begun, warning);
  };
  InferencePipelineProfiler profiler{bench.power,
                                     &bench.store,
                                     {.settle_period = kSettlePeriod,
                                      .wants_operations = bench.wants_operations,
                                      .on_trouble = [&](const Warning& warning) {
                                        warn(warning);
                                        bench.metrics.count_error(warning.component, warning.code);
                                      }}};
  profiler.on([&](const Event& event) {
    bench.publisher.publish(event);
    bench.metrics.take(event);
    if (event.type == EventType::power_sample) {  // a sensor that fails is told while it matters
      for (const Warning& warning : bench.power->warnings(begun)) {
        warn(warning);
      }
    }
  });
  RunScope run = profiler.run(request);
  const auto generated = (*engine)->generate(run, {.prompt = task.prompt,
                                                   .max_tokens = task.max_tokens,
                                                   .seed = task.seed,
                                                   .temperature = task.temperature,
                                                   .top_k = task.top_k,
                                                   .top_p = task.top_p,
                                                   .chat = task.chat,
                                                   .cancel = &cancel});
  if (!generated && !cancel.load()) {
    const ErrorCode code = generated.error().code;
    if (code == ErrorCode::invalid_argument || code == ErrorCode::too_large ||
        code == ErrorCode::unsupported) {
      run.abandon();  // nothing was inferred: there is no run to keep
      refuse(generated.error());
      return;
    }
    run.set_finish_reason("error");
    refuse(generated.error());
  }
  const RunStatus status = cancel.load() ? RunStatus::cancelled
                           : generated   ? RunStatus::completed
                                         : RunStatus::failed;
  const ProfiledRun& result = run.finish(status);
  bench.publisher.settle(result);
  bench.metrics.count(result);
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
  const Bench bench{
      .power = power,
      .store = *store,
      .publisher = publisher,
      .metrics = metrics,
      .health = health,
      .wants_operations = [&] { return serving->subscribers("operation_metrics") > 0; }};
  RunQueue queue(queue_, [&](const RunTask& task, const std::atomic<bool>& cancel) {
    profile(task, cancel, bench);
  });
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
    start_power(*monitor, health);
  } else {
    health.failed("power", monitor.error());
    print_note("no power is measured: " + monitor.error().message);
  }

  const std::string shown = host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
  print_note(fmt::format("serving {}http://{}:{}/{}{}",
                         dashboard_assets().empty() ? "without a dashboard on " : "", shown,
                         serving->port(), token_.empty() ? "" : "?token=", token_));
  print_note(fmt::format("models: {} · runs: {} · Ctrl-C ends", models.path().string(),
                         store->path().string()));
  std::thread signals([&] {
    while (!interrupt.requested()) {
      std::this_thread::sleep_for(kSignalPeriod);
    }
    print_note("stopping: the run under way is cancelled and saved");
    queue.stop();
    serving->stop();
  });
  serving->run();
  signals.join();
  if (monitor) {
    monitor->stop();
  }
  return exit_done;
}

}  // namespace enprof
