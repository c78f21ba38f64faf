#include "cli/serve_command.hpp"

#include "base/counted.hpp"
#include "base/log.hpp"
#include "base/periodic_thread.hpp"
#include "base/shell_quote.hpp"
#include "cli/calibration.hpp"
#include "cli/console.hpp"
#include "cli/engine_command.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/option_values.hpp"
#include "engines/process/process_engine.hpp"
#include "engines/registry/engine_registry.hpp"
#include "live/event_hub.hpp"
#include "report/format.hpp"
#include "server/capture_watch.hpp"
#include "server/http_server.hpp"
#include "server/model_directory.hpp"
#include "server/profiling_api.hpp"
#include "server/run_worker.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};

/// Tries once more to save runs that are only in memory, and reports those that fail. Returns
/// whether any are left.
bool report_unsaved(ProfileDatabase& store) {
  static_cast<void>(store.save_unsaved_runs());
  const std::vector<UnsavedRun> left = store.unsaved_runs();
  for (const UnsavedRun& run : left) {
    if (run.journal.empty()) {
      print_error({ErrorCode::io, fmt::format("Run {} could not be saved, and is lost", run.run_id),
                   fmt::format("There was no room for it on the disk with {0}: df -h {0}",
                               store.path().string())});
    } else {
      print_note(
          fmt::format("run {} is not in the database, but in {}; to import it: enprof db "
                      "import --db {} {}",
                      run.run_id, run.journal.string(), shell_quote(store.path().string()),
                      shell_quote(run.journal.string())));
    }
  }
  return !left.empty();
}

/// Ends the runs that there are, and then the server's run().
void end_serving(RunQueue& queue, HttpServer& server) {
  try {
    const std::string run = queue.running();
    const std::size_t waiting = queue.waiting();
    print_note(fmt::format(
        "stopping{}{}", run.empty() ? "" : fmt::format(": run {} is cancelled and saved", run),
        waiting == 0 ? ""
                     : fmt::format("; {} saved as cancelled", counted(waiting, "waiting run"))));
    queue.stop();
  } catch (const std::exception& error) {  // a signal handler has no caller to report to
    kLog.error("Not all runs could be ended: {}", error.what());
  }
  server.stop();
}

/// How soon a run that could not be saved is tried again, and a database at rest is closed.
constexpr std::chrono::seconds kTendPeriod{1};

}  // namespace

void ServeCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "serve", "Serve the HTTP API, the live stream and the dashboard on this machine");
  CLI::App& app = *app_;
  app.footer(
      "The dashboard is at http://HOST:PORT/. On an address other than a loopback one, clients "
      "need the token.\n"
      "Examples:\n"
      "  enprof serve --models-dir ~/models        then open http://127.0.0.1:8000/\n"
      "  enprof serve --host 0.0.0.0 --port 9000   from other machines, with the token it "
      "prints\n");
  server_.declare(app);
  app.add_option("--models-dir", models_dir_, "Directory of the models that clients may run")
      ->type_name("DIR")
      ->check(not_empty())
      ->capture_default_str();
  app.add_option("--queue", queue_, "Maximum number of waiting runs")
      ->type_name("N")
      ->transform(whole_number(1, 10'000))
      ->capture_default_str();
  app.add_option("--threads", threads_, "CPU threads; 0: one per available CPU")
      ->type_name("N")
      ->transform(whole_number(0, 512))
      ->capture_default_str();
  engine_settings_.declare(app, {});
  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str();
  power_interval_.declare(app);
  sensor_accuracy_.declare(app);
  app.add_option("--baseline-s", baseline_s_,
                 "Seconds of idle measurement before the first run of each model; 0: none")
      ->type_name("S")
      ->transform(number(0.0, 3600.0))
      ->capture_default_str();
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even if the machine is not idle");
  app.add_flag("--no-calibration", no_calibration_, "Use no calibration, even if one fits");
  database_.declare(app);
}

SessionPower::Options ServeCommand::power_options(const RunQueue* const& queue,
                                                  ServerHealth& health) const {
  SessionPower::Options options{
      .open =
          [this] {
            PowerEnvironment environment = power_environment();
            environment.relative_uncertainty = sensor_accuracy_.by_source();
            return PowerMonitor::open(power_, environment);
          },
      .can_open =
          [](const std::string& source) {
            return PowerMonitor::open(source, power_environment()).has_value();
          },
      .interval = power_interval_.interval(),
      .is_idle = [&queue] { return queue == nullptr || queue->running().empty(); },
      .notify = print_note,
      .on_attempt =
          [&health](const std::optional<Error>& error) { health.report("power", error); }};
  if (baseline_s_ > 0.0) {
    options.baseline = [this](PowerMonitor& monitor, const std::stop_token& stop) {
      return measure_baseline(monitor, baseline_s_, stop,
                              baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
    };
  }
  return options;
}

int ServeCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return exit_failed;
  };
  const Interrupt interrupt;
  if (const auto ready = server_.prepare(); !ready) {
    print_error(ready.error());
    return ready.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  const ModelDirectory models(models_dir_);
  if (auto list = models.list(); !list) {
    Error error = std::move(list.error());
    error.message += ": " + models.path().string();  // clients do not get the path
    return failed(error);
  }
  for (const std::string& stray : models.strays()) {
    print_note(fmt::format("{} is not offered: it is a link that leads out of {}", stray,
                           models.path().string()));
  }
  auto store = database_.open();
  if (!store) {
    return failed(store.error());
  }
  ServerHealth health;
  const RunQueue* run_queue = nullptr;  // power needs the queue, and the queue's worker needs power
  SessionPower power(power_options(run_queue, health));
  if (const auto opened = power.open(); !opened) {
    print_error(opened.error());
    return exit_usage;
  }

  EventHub hub(EventHub::first_number_at(std::chrono::system_clock::now()));
  LivePublisher publisher(hub);
  ServerMetrics metrics;
  health.ok("store");
  health.ok("engine");
  HttpServer* serving = nullptr;  // the API's gauges need the server, and the server needs the API
  // An engine that dies takes one run with it, and not the server.
  const ProcessEngines processes(EngineCommand::command_line(*app_->get_parent()), engines());
  ModelKeeper keeper(
      {.open = [&models](const std::string& name) { return models.open(name); },
       .threads = threads_,
       .settings = engine_settings_.values(),
       .engine_for = [&processes](const std::filesystem::path& model) -> const Engine& {
         return processes.stand_in_for(engine_for(model));
       }});
  const std::unique_ptr<CalibrationFinder> finder =
      no_calibration_ ? nullptr : calibration_finder();
  RunSession::FindCalibration find;
  if (finder) {
    find = [&finder](const LoadedModel& model, const RunTask& task, const PowerMonitor& monitor,
                     const std::stop_token&) {
      return finder->find(model, task.generate.threads, monitor);
    };
  }
  const PowerEnvironment places = power_environment();
  RunWorker worker(
      {.models = keeper,
       .store = *store,
       .publisher = publisher,
       .metrics = metrics,
       .health = health,
       .power = &power,
       .is_watched = [&] { return serving->watchers() > 0; },
       .procfs_root = places.procfs_root,
       .sysfs_root = places.sysfs_root,
       .calibration = std::move(find),
       .engine_cpu_time = [&processes] { return processes.cpu_time(); },
       .wants_operations = [&] { return serving->subscribers("operation_metrics") > 0; }});
  RunQueue queue(
      queue_, [&](const RunTask& task, const std::stop_token& stop) { worker.work(task, stop); },
      [&](const RunTask& task, RunQueue::Reason reason) { worker.drop(task, reason); });
  run_queue = &queue;
  const ProfilingApi api({.store = *store,
                          .under_way = queue,
                          .queue = &queue,
                          .models = &models,
                          .metrics = metrics,
                          .health = health,
                          .power = [&power] { return power.monitor(); },
                          .gauges =
                              [&] {
                                ServerMetrics::Gauges gauges = stream_gauges(*serving);
                                gauges.queued_runs = queue.waiting();
                                return gauges;
                              }});
  auto server = server_.open([&](const HttpRequest& request) { return api.handle(request); }, hub);
  if (!server) {
    return failed(server.error());
  }
  serving = server->get();
  static_cast<void>(power.get_ready());  // a failure is reported, and retried
  power.watch();
  // Its thread uses the queue, which is destroyed first.
  const std::unique_ptr<SessionPower, void (*)(SessionPower*)> measuring(
      &power, [](SessionPower* ending) { ending->stop(); });

  server_.print_addresses(serving->port());
  print_note(fmt::format("models: {} · runs: {} · Ctrl-C ends", models.path().string(),
                         store->path().string()));
  if (const PowerMonitor* const monitor = power.monitor()) {
    // Shows what is estimated, and which better source is missing. The fix for a refused sensor was
    // printed already.
    const std::vector<std::string> sources = monitor->sources();
    print_note(sources.empty() ? "power: not measured"
                               : fmt::format("power: {}", fmt::join(sources, " · ")));
  }
  // Called on the thread of `interrupt`, or at once here if the signal has come already.
  const std::stop_callback stop_on_signal(interrupt.token(), [&] { end_serving(queue, *serving); });
  CaptureWatch captures(*store, metrics);
  PeriodicThread tending;  // of the database
  if (const auto tended = tending.start({.name = "enprof-tending",
                                         .purpose = "maintain the database",
                                         .period = kTendPeriod,
                                         .first = kTendPeriod},
                                        [&] {
                                          store->tend();
                                          captures.look();
                                        });
      !tended) {
    kLog.error("{}", tended.error().message);
  }
  serving->run();
  tending.stop();
  return report_unsaved(*store) ? exit_degraded : exit_done;
}

}  // namespace enprof
