// Measures this machine's sensors for tools/check-hardware, which calls it once for each question.
// Prints one JSON object on standard output; {"error": {…}} and exit code 1 where it cannot answer.
#include "enprof/power/power_monitor.hpp"

#include "base/sleeper.hpp"
#include "bench/stepping_rapl.hpp"
#include "cpu_load.hpp"
#include "energy_comparison.hpp"
#include "figures_json.hpp"
#include "gpu_load.hpp"
#include "step_meter.hpp"
#include "watched_values.hpp"
#include "wave_check.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof::hardware {
namespace {

using nlohmann::json;

struct Settings {
  std::string power = "auto";
  std::string load = "cpu";
  double seconds = 5.0;
  std::optional<double> interval_ms;
  std::vector<double> hertz{0.2, 0.5, 1, 2, 5, 10};
  int device = 0;
  bool fake_rapl = false;
  std::vector<std::string> command;
};

/// Of the simulated counters.
constexpr double kFakeIdleWatts = 20.0;
constexpr double kFakeWattsPerCpu = 30.0;

Nanoseconds duration_of(double time_s) { return from_ms(time_s * 1e3); }

std::string environment_or(const char* name, std::string fallback) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(fallback);
}

PowerEnvironment environment() {
  PowerEnvironment result;
  result.sysfs_root = environment_or("ENPROF_SYSFS_ROOT", result.sysfs_root);
  result.procfs_root = environment_or("ENPROF_PROCFS_ROOT", result.procfs_root);
  result.nvml_library = environment_or("ENPROF_NVML_LIBRARY", result.nvml_library);
  return result;
}

int print(const json& answer) {
  const std::string text = answer.dump() + "\n";
  return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 1;
}

int print(const Error& error) {
  static_cast<void>(print(json{{"error", to_json(error)}}));
  return 1;
}

Result<std::unique_ptr<SquareLoad>> open_load(const Settings& settings) {
  if (settings.load == "cpu") {
    return std::make_unique<CpuLoad>(CpuLoad::usual_cpus());
  }
  auto driver =
      CudaDriver::open(environment_or("ENPROF_CUDA_LIBRARY", "libcuda.so.1"), settings.device);
  if (!driver) {
    return std::unexpected(std::move(driver.error()));
  }
  auto load = GpuLoad::open(std::move(*driver));
  if (!load) {
    return std::unexpected(std::move(load.error()));
  }
  return std::unique_ptr<SquareLoad>(std::move(*load));
}

Result<PowerMonitor> open_monitor(const Settings& settings) {
  auto monitor = PowerMonitor::open(settings.power, environment());
  if (!monitor) {
    return monitor;
  }
  const auto interval =
      settings.interval_ms ? std::optional{from_ms(*settings.interval_ms)} : std::nullopt;
  if (auto started = monitor->start(interval); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return monitor;
}

json names_of(const PowerMonitor& monitor) {
  json domains = json::array();
  for (const Domain& domain : monitor.domains()) {
    domains.push_back(
        {{"name", domain.name}, {"source", domain.source}, {"is_root", domain.is_root()}});
  }
  return {{"sources", monitor.sources()}, {"domains", std::move(domains)}};
}

/// How often each counter and power steps, and by how much.
int measure_all_steps(const Settings& settings) {
  const WatchedValues found = find_values(environment());
  json values = json::array();
  for (const WatchedValue& value : found.values) {
    values.push_back(to_json(value, measure_steps(value, duration_of(settings.seconds))));
  }
  return print(json{{"values", values}, {"notes", found.notes}});
}

/// GPUs' counters against their integrated powers.
int compare(const Settings& settings) {
  WatchedValues found = find_values(environment());
  std::erase_if(found.values,
                [](const WatchedValue& value) { return !value.name.starts_with("gpu-"); });
  if (found.values.empty()) {
    return print(Error{.code = ErrorCode::not_found,
                       .message = "There is no GPU whose energy and power can be read",
                       .hint = {}});
  }
  std::unique_ptr<SquareLoad> load;
  std::string why_no_load;
  if (auto opened = open_load(settings)) {
    load = std::move(*opened);
  } else {
    why_no_load = opened.error().message;
  }
  const auto energies = compare_energies(found.values, load.get(), duration_of(settings.seconds));
  if (!energies) {
    return print(energies.error());
  }
  return print(json{{"energies", to_json(*energies)},
                    {"load", load ? json(load->description()) : json()},
                    {"why_no_load", why_no_load},
                    {"notes", found.notes}});
}

/// Power of each domain at rest.
int measure_idle(const Settings& settings) {
  auto monitor = open_monitor(settings);
  if (!monitor) {
    return print(monitor.error());
  }
  monitor->sync();
  const Instant begin = monotonic_clock().now();
  const auto baseline =
      monitor->measure_idle_baseline(duration_of(settings.seconds), {}, BusyMachine::measure);
  if (!baseline) {
    return print(baseline.error());
  }
  monitor->sync();
  json domains = json::array();
  const WindowsByDomain windows = monitor->windows(begin, monotonic_clock().now());
  for (std::size_t index = 0; index < monitor->domains().size(); ++index) {
    const auto& idle = baseline->domains[index];
    Nanoseconds covered{0};
    for (const EnergyWindow& window : windows[index]) {
      covered += window.duration();
    }
    const Nanoseconds whole = windows[index].empty()
                                  ? Nanoseconds{1}
                                  : windows[index].back().end - windows[index].front().begin;
    domains.push_back({{"name", monitor->domains()[index].name},
                       {"is_root", monitor->domains()[index].is_root()},
                       {"power_mw", idle ? json(to_mw(idle->power)) : json()},
                       {"spread_mw", idle && idle->spread ? json(to_mw(*idle->spread)) : json()},
                       {"windows", windows[index].size()},
                       {"coverage", seconds(covered) / seconds(whole)}});
  }
  return print(json{{"monitor", names_of(*monitor)},
                    {"domains", domains},
                    {"power_mw", baseline->total ? json(to_mw(baseline->total->power)) : json()},
                    {"warnings", to_json(monitor->warnings())}});
}

/// Square waves: does each half get its energy?
int check_waves(const Settings& settings) {
  auto load = open_load(settings);
  if (!load) {
    return print(load.error());
  }
  auto monitor = open_monitor(settings);
  if (!monitor) {
    return print(monitor.error());
  }
  json waves = json::array();
  for (const double hertz : settings.hertz) {
    const auto figures = check_wave(*monitor, **load, hertz, duration_of(settings.seconds));
    waves.push_back(figures ? to_json(*figures)
                            : json{{"hz", hertz}, {"error", to_json(figures.error())}});
  }
  return print(
      json{{"load", (*load)->description()}, {"monitor", names_of(*monitor)}, {"waves", waves}});
}

/// Runs a command with simulated counters that count the CPU time that it uses.
int run_command(const Settings& settings) {
  int gate[2];
  if (::pipe(gate) != 0) {
    return print(
        Error{.code = ErrorCode::unavailable, .message = std::strerror(errno), .hint = {}});
  }
  const pid_t child = ::fork();
  if (child == 0) {
    // The directory's name comes through the pipe when the counters are there.
    std::string root(4096, '\0');
    ::close(gate[1]);
    const ssize_t length = ::read(gate[0], root.data(), root.size());
    if (length <= 0) {
      ::_exit(127);
    }
    root.resize(static_cast<std::size_t>(length));
    ::setenv("ENPROF_SYSFS_ROOT", root.c_str(), 1);
    std::vector<char*> arguments;
    for (const std::string& argument : settings.command) {
      arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execvp changes nothing
    }
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "%s: %s\n", arguments[0], std::strerror(errno));
    ::_exit(127);
  }
  ::close(gate[0]);
  int status = -1;
  {
    const bench::SteppingRapl rapl(
        {.watts = kFakeIdleWatts, .watts_per_cpu = kFakeWattsPerCpu, .process = child});
    const std::string root = rapl.root().string();
    if (child < 0 || !rapl.works() ||
        ::write(gate[1], root.data(), root.size()) != static_cast<ssize_t>(root.size())) {
      ::close(gate[1]);
      return print(Error{.code = ErrorCode::unavailable,
                         .message = "The counters could not be simulated",
                         .hint = {}});
    }
    ::close(gate[1]);
    ::waitpid(child, &status, 0);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int run(const CLI::App& app, const Settings& settings) {
  std::optional<bench::SteppingRapl> fake;
  if (settings.fake_rapl && !app.got_subcommand("exec")) {
    fake.emplace(bench::SteppingRapl::Load{
        .watts = kFakeIdleWatts, .watts_per_cpu = kFakeWattsPerCpu, .process = ::getpid()});
    bench::SteppingRapl::leave_its_cpu();
    ::setenv("ENPROF_SYSFS_ROOT", fake->root().c_str(), 1);
  }
  if (app.got_subcommand("steps")) {
    return measure_all_steps(settings);
  }
  if (app.got_subcommand("compare")) {
    return compare(settings);
  }
  if (app.got_subcommand("idle")) {
    return measure_idle(settings);
  }
  if (app.got_subcommand("wave")) {
    return check_waves(settings);
  }
  return run_command(settings);
}

int main_of(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Measures this machine's power sensors for tools/check-hardware. Prints JSON."};
  app.require_subcommand(1);
  app.add_flag("--fake-rapl", settings.fake_rapl,
               "Simulated RAPL counters, which count the CPU time that is used");
  app.add_option("--seconds", settings.seconds, "How long, or how long for each value or frequency")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  app.add_option("--power", settings.power, "Power sources, as of enprof run")
      ->capture_default_str();
  app.add_option("--power-interval-ms", settings.interval_ms, "Milliseconds between readings");
  app.add_option("--load", settings.load, "What computes")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--device", settings.device, "CUDA's number of the GPU")->capture_default_str();
  app.add_option("--hz", settings.hertz, "Frequencies of the square waves")
      ->delimiter(',')
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  app.add_subcommand("steps", "Period and quantum of each counter's steps")->fallthrough();
  app.add_subcommand("compare", "GPUs' energy counters against their integrated powers")
      ->fallthrough();
  app.add_subcommand("idle", "Power at rest")->fallthrough();
  app.add_subcommand("wave", "Square waves: does each half get its energy?")->fallthrough();
  auto* const exec = app.add_subcommand("exec", "Run a command with simulated counters");
  exec->add_option("command", settings.command, "The command")->required();
  CLI11_PARSE(app, argc, argv);
  return run(app, settings);
}

}  // namespace
}  // namespace enprof::hardware

int main(int argc, char** argv) {
  try {
    return enprof::hardware::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "enprof_hardware: %s\n", error.what());
    return 1;
  }
}
