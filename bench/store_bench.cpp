#include "store_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "engines/llama/llama_engine.hpp"
#include "figure.hpp"
#include "store/step_store.hpp"
#include "support/temp_dir.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 7;
constexpr std::size_t kEvents = 1'000'000;
constexpr std::uint32_t kOperations = 165;  // per token, for a llama with 8 layers

template <class T>
T value_of(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}

/// The time of a call in milliseconds.
template <class Body>
double took_ms(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

OperationPlan plan() {
  OperationPlan plan;
  for (std::uint32_t index = 0; index < kOperations; ++index) {
    plan.operations.push_back({.layer = static_cast<std::int32_t>(index / 20) - 1,
                               .component = "component " + std::to_string(index % 12),
                               .op = "MUL_MAT",
                               .name = "node-" + std::to_string(index),
                               .shape = {512, 1, 1, 1},
                               .flops = 1e6,
                               .bytes = 1e5});
  }
  return plan;
}

/// A deep run of a million operations, with times and energies as irregular as real ones.
ProfiledRun million() {
  std::mt19937_64 random{6};
  ProfiledRun run{.run_id = "million"};
  run.depth = Depth::deep;
  run.operation_table.operations = plan().operations;
  Nanoseconds at{0};
  for (std::size_t index = 0; index < kEvents; ++index) {
    const auto operation = static_cast<std::uint32_t>(index % kOperations);
    at += Nanoseconds{operation == 0 ? 30'000 + random() % 9000 : 0};
    const auto duration = static_cast<std::uint32_t>(5'000 + random() % 200'000);
    run.operation_table.events.push_back(
        {.begin = at,
         .energy_j = static_cast<double>(random() % 1'000'000) / 7e7,
         .duration_ns = duration,
         .operation = operation,
         .token = static_cast<std::int32_t>(index / kOperations) - 1,
         .phase = index < kOperations ? Phase::prefill : Phase::decode});
    at += Nanoseconds{duration};
  }
  for (std::int32_t layer = -1; layer < 8; ++layer) {
    for (int component = 0; component < 12; ++component) {
      run.components.push_back({.layer = layer,
                                .component = "component " + std::to_string(component),
                                .count = kEvents / kOperations,
                                .figure = {.duration = at / 108, .total = Joules{1.5}},
                                .flops = 1e9,
                                .bytes = 1e8});
    }
  }
  return run;
}

/// The control: writes as many bytes to a separate file, and waits for the disk.
double control_write_ms(const fs::path& path, std::size_t bytes) {
  const std::string content(bytes, 'x');
  const double ms = took_ms([&] {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, content.data(), content.size()) < 0 || fsync(file) != 0) {
      throw std::runtime_error("cannot write the control's file");
    }
    close(file);
  });
  fs::remove(path);
  return ms;
}

void million_operations() {
  const ProfiledRun run = million();
  ProfiledRun without = run;
  without.run_id = "without";
  without.operation_table.events.clear();
  std::vector<double> rates;
  std::vector<double> control;
  std::vector<double> summary;
  std::vector<double> matrix;
  std::vector<double> whole;
  double bytes = 0;
  for (int round = 0; round < kRounds; ++round) {
    const testing::TempDir dir;
    const fs::path path = dir.path() / "profiles.db";
    auto database = value_of(ProfileDatabase::connect(path));
    value_of(database.save_run(without));
    const auto size = [&] { return static_cast<double>(fs::file_size(path)); };
    const double before = size();
    const double ms = took_ms([&] { value_of(database.save_run(run)); });
    rates.push_back(kEvents / ms * 1e3);
    bytes = (size() - before) / kEvents;
    control.push_back(
        control_write_ms(dir.path() / "control", static_cast<std::size_t>(size() - before)));
    summary.push_back(took_ms([&] {
      value_of(database.summary("million"));
      value_of(database.pipeline("million"));
    }));
    matrix.push_back(took_ms([&] { value_of(database.layer_components("million")); }));
    whole.push_back(took_ms([&] {
      if (value_of(database.get_run("million"))->operation_table.events.size() != kEvents) {
        throw std::runtime_error("events are missing");
      }
    }));
  }
  figure("store.operations", median(rates), "rows/s");
  figure("store.control_write", median(control), "ms");
  figure("store.bytes_per_operation", bytes, "bytes");
  figure("store.summary", median(summary), "ms");
  figure("store.matrix", median(matrix), "ms");
  figure("store.read_million", median(whole), "ms");
}

void list_of_ten_thousand() {
  const testing::TempDir dir;
  auto database = value_of(ProfileDatabase::connect(dir.path() / "profiles.db"));
  std::mt19937 random{6};
  for (int index = 0; index < 10'000; ++index) {
    ProfiledRun run{.run_id = "run" + std::to_string(index)};
    run.started_at = WallTime{std::chrono::minutes{index}};
    run.model = {.name = "model-" + std::to_string(index % 5), .engine = "llama.cpp v0.5.0"};
    run.experiment = "experiment " + std::to_string(index % 20);
    run.tags = {"tag " + std::to_string(index % 7)};
    run.prompt = "How many joules does a thought take? " + std::string(120, 'x') +
                 std::to_string(index % 100);
    run.response = std::string(400, 'y');
    run.totals.figure.total = Joules{static_cast<double>(random() % 100'000)};
    value_of(StepStore(database).begin_run(
        run));  // the same row, but without waiting for the disk each time
  }
  const auto measure = [&](const char* name, const RunFilter& filter, std::size_t total) {
    std::vector<double> times;
    times.reserve(31);
    for (int round = 0; round < 31; ++round) {
      times.push_back(took_ms([&] {
        const RunList list = value_of(database.list_runs(filter));
        if (list.runs.size() != 50 || list.total != total) {
          throw std::runtime_error("the list is wrong");
        }
      }));
    }
    figure(name, median(times), "ms");
  };
  measure("store.list_newest", {}, 10'000);
  measure("store.list_by_model_and_energy", {.model = "model-3", .order = RunOrder::energy}, 2000);
  measure("store.list_by_tag_and_energy", {.tag = "tag 3", .order = RunOrder::energy}, 1429);
  measure("store.list_by_text_and_energy",
          {.engine = "llama.cpp", .prompt_text = "joules", .order = RunOrder::energy}, 10'000);
}

double process_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/// CPU time / wall time of a deep run of 100 tokens a second without an engine: this is the cost of
/// the profiler.
double cpu_share(ProfileDatabase* database, PowerMonitor* monitor) {
  constexpr int kTokens = 300;
  InferencePipelineProfiler profiler{monitor, database};
  RunScope run = profiler.run(
      {.model_name = "bench", .depth = Depth::deep, .max_output_tokens = std::size_t{kTokens}});
  const std::uint32_t graph = run.add_plan(plan());
  const double before = process_cpu_s();
  const auto begin = std::chrono::steady_clock::now();
  for (int token = 0; token < kTokens; ++token) {
    TokenScope scope = run.token(Phase::decode);
    {
      const SectionScope section = run.section(Phase::decode, "forward");
      PassScope pass = run.pass(graph);
      for (std::uint32_t operation = 0; operation < kOperations; ++operation) {
        pass.stamp();
      }
    }
    const SectionScope sampling = run.section(Phase::decode, "sampling");
    scope.set_text("text");
    std::this_thread::sleep_until(begin + (token + 1) * std::chrono::milliseconds{10});
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double share = (process_cpu_s() - before) / took.count();
  run.abandon();
  return share;
}

std::optional<PowerMonitor> rapl_monitor(const testing::TempDir& sysfs) {
  for (const char* zone : {"intel-rapl:0", "intel-rapl:0/intel-rapl:0:0"}) {
    const std::string directory = std::string("class/powercap/") + zone;
    sysfs.write(directory + "/name", directory.ends_with(":0:0") ? "dram\n" : "package-0\n");
    sysfs.write(directory + "/energy_uj", "123456789\n");
    sysfs.write(directory + "/max_energy_range_uj", "262143328850\n");
  }
  return value_of(PowerMonitor::open("rapl", {.sysfs_root = sysfs.path()}));
}

void saving_cpu() {
  const testing::TempDir sysfs;
  const testing::TempDir dir;
  auto monitor = rapl_monitor(sysfs);
  value_of(monitor->start());
  auto database = value_of(ProfileDatabase::connect(dir.path() / "profiles.db"));
  std::vector<double> added;
  std::vector<double> control;
  for (int round = 0; round < kRounds; ++round) {
    const double before = cpu_share(nullptr, &*monitor);
    const double with = cpu_share(&database, &*monitor);
    const double after = cpu_share(nullptr, &*monitor);
    added.push_back(with - (before + after) / 2);
    control.push_back(after - before);
  }
  figure("store.saving_cpu", median(added), "ratio");
  figure("store.saving_cpu_control", median(control), "ratio");
}

/// Decode time of a deep run that is saved / that of unsaved runs before and after it.
void saving_decode(const char* model, int rounds) {
  constexpr int kTokens = 128;
  const testing::TempDir sysfs;
  const testing::TempDir dir;
  auto monitor = rapl_monitor(sysfs);
  value_of(monitor->start());
  auto database = value_of(ProfileDatabase::connect(dir.path() / "profiles.db"));
  auto engine = value_of(LlamaEngine::load(model, {.threads = 2}));
  const auto decode = [&](ProfileDatabase* store) {
    InferencePipelineProfiler profiler{&*monitor, store};
    RunScope run = profiler.run(
        {.model_name = "bench", .depth = Depth::deep, .max_output_tokens = std::size_t{kTokens}});
    GenerateOptions options{.prompt = "How many joules does a thought take?",
                            .max_tokens = kTokens,
                            .ignore_eos = true};
    options.values_every = 0;
    value_of(engine.generate(run, options));
    double took = 0;
    for (const PhaseFigure& phase : run.finish().phases) {
      took += phase.phase == Phase::decode ? seconds(phase.figure.duration) : 0.0;
    }
    return took;
  };
  static_cast<void>(decode(nullptr));
  std::vector<double> with;
  std::vector<double> control;
  for (int round = 0; round < rounds; ++round) {
    const double first = decode(nullptr);
    const double saved = decode(&database);
    const double second = decode(nullptr);
    const double plain = decode(nullptr);
    const double third = decode(nullptr);
    with.push_back(saved / ((first + second) / 2));
    control.push_back(plain / ((second + third) / 2));
  }
  figure("store.saving_decode", median(with), "ratio");
  figure("store.saving_decode_control", median(control), "ratio");
}

}  // namespace

bool bench_store(std::span<const char* const> arguments) {
  if (arguments.size() == 2) {
    saving_decode(arguments[0], std::atoi(arguments[1]));
    return true;
  }
  million_operations();
  list_of_ten_thousand();
  saving_cpu();
  return true;
}

}  // namespace enprof::bench
