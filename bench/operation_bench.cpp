// Measures the operation clock without an engine: what one operation costs while a graph is
// computed, how much memory it needs, and how long a million of them take at the end of a run.
#include "operation_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "bench_graph.hpp"
#include "figure.hpp"
#include "profile/assemble/run_assembler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace enprof::bench {
namespace {

constexpr std::size_t kLayers = 32;
constexpr std::size_t kOperationsPerLayer = 20;
constexpr std::size_t kRounds = 9;
constexpr std::size_t kPasses = 1000;

/// A plan with the shape of a llama graph: most operations of a layer are a component each.
OperationPlan llama_like() {
  OperationPlan plan;
  plan.operations.push_back({.component = "embedding", .op = "GET_ROWS", .name = "embd"});
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    for (std::size_t index = 0; index < kOperationsPerLayer; ++index) {
      plan.operations.push_back({.layer = static_cast<std::int32_t>(layer),
                                 .component = fmt::format("component {}", index * 9 / 10),
                                 .op = "MUL_MAT",
                                 .name = fmt::format("node {}-{}", index, layer),
                                 .shape = {4096, 1, 1, 1},
                                 .flops = 1e6,
                                 .bytes = 1e6});
    }
  }
  plan.operations.push_back({.component = "lm_head", .op = "MUL_MAT", .name = "result_output"});
  return plan;
}

void bench_stamps() {
  std::vector<double> stamp_ns;
  std::vector<double> clock_ns;
  std::vector<double> pass_ns;
  for (std::size_t round = 0; round < kRounds; ++round) {
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr};
    RunScope run = profiler.run(
        {.model_name = "none", .depth = Depth::deep, .max_output_tokens = 3 * kPasses});
    const OperationPlan plan = llama_like();
    const std::size_t operations = plan.operations.size();
    const std::uint32_t full = run.add_plan(plan);
    const std::uint32_t empty = run.add_plan(OperationPlan{});
    run.enter(Phase::decode);

    const auto took = [](auto work) {
      const auto begin = std::chrono::steady_clock::now();
      work();
      return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin)
          .count();
    };
    const double passes = took([&] {
      for (std::size_t index = 0; index < kPasses; ++index) {
        const PassScope pass = run.pass(empty);
      }
    });
    const double stamps = took([&] {
      for (std::size_t index = 0; index < kPasses; ++index) {
        PassScope pass = run.pass(full);
        for (std::size_t operation = 0; operation < operations; ++operation) {
          pass.stamp();
        }
      }
    });
    const Clock& clock = monotonic_clock();
    Instant last;
    const double reads = took([&] {
      for (std::size_t index = 0; index < kPasses * operations; ++index) {
        last = std::max(last, clock.now());
      }
    });
    run.abandon();
    const auto count = static_cast<double>(kPasses * operations);
    stamp_ns.push_back((stamps - passes) / count);
    pass_ns.push_back(passes / kPasses);
    clock_ns.push_back(reads / count);
  }
  figure("operation.stamp", median(stamp_ns), "ns");
  figure("operation.control_clock_read", median(clock_ns), "ns");
  figure("operation.pass", median(pass_ns), "ns");
}

/// Measures all costs of one operation: offering llama.cpp's nodes, reporting its end, and its
/// share of handing over the pass; and the cost of a pass whose graph is new.
void bench_engine_clock() {
  const BenchGraph graph(kLayers);
  std::vector<double> operation_ns;
  std::vector<double> learn_us;
  for (std::size_t round = 0; round < kRounds; ++round) {
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr};
    RunScope run =
        profiler.run({.model_name = "none", .depth = Depth::deep, .max_output_tokens = kPasses});
    OperationClock clock(run, {});
    static_cast<void>(clock.attach(HookDepth::operations, false));
    const auto pass = [&] {
      clock.begin_pass(Phase::decode, 0);
      graph.run(clock);
      static_cast<void>(clock.end_pass(true));
    };
    const SectionScope section = run.section(Phase::decode, "forward");
    const auto first = std::chrono::steady_clock::now();
    pass();  // learns the graph
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t index = 1; index < kPasses; ++index) {
      pass();
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    run.abandon();
    operation_ns.push_back(took.count() / static_cast<double>((kPasses - 1) * graph.operations()));
    learn_us.push_back(std::chrono::duration<double, std::micro>(begin - first).count());
  }
  figure("operation.llama", median(operation_ns), "ns");
  figure("operation.new_graph", median(learn_us), "us");
}

/// A run of about `operations` operations of 30 µs each, with windows of 1 ms.
Recording long_recording(std::size_t operations) {
  constexpr Nanoseconds kOperation = std::chrono::microseconds{30};
  Recording recording;
  recording.names = {"run", "forward"};
  recording.passes.plans = {std::make_shared<const OperationPlan>(llama_like())};
  const std::size_t count = recording.passes.plans[0]->operations.size();
  Instant now{std::chrono::seconds{1}};
  recording.spans = {{.begin = now, .level = Level::run},
                     {.begin = now, .parent = 0, .level = Level::phase, .phase = Phase::decode}};
  const std::size_t passes = operations / count;
  recording.token_texts.resize(passes);
  for (std::size_t token = 0; token < passes; ++token) {
    const auto number = static_cast<std::int32_t>(token);
    const auto index = static_cast<std::int32_t>(recording.spans.size());
    PassRecord pass{
        .begin = now,
        .start = now + kOperation,
        .place = {.parent = index + 1, .spans_before = static_cast<std::uint32_t>(index) + 2}};
    const Instant begin = now;
    now += kOperation;
    std::vector<Instant> ends;
    ends.reserve(count);
    for (std::size_t operation = 0; operation < count; ++operation) {
      ends.push_back(now += kOperation);
    }
    pass.end = now += kOperation;
    recording.passes.add(pass, ends);
    recording.spans.push_back({.begin = begin,
                               .end = now,
                               .parent = 1,
                               .token = number,
                               .level = Level::token,
                               .phase = Phase::decode});
    recording.spans.push_back({.begin = begin,
                               .end = now,
                               .parent = index,
                               .token = number,
                               .name = 1,
                               .level = Level::section,
                               .phase = Phase::decode});
  }
  recording.spans[0].end = recording.spans[1].end = now;
  return recording;
}

void bench_assembly() {
  constexpr std::size_t kOperations = 1'000'000;
  const Recording recording = long_recording(kOperations);
  PowerEvidence power;
  power.domains = {domain_from_name("package-0")};
  power.windows.resize(1);
  constexpr Nanoseconds kPeriod = std::chrono::milliseconds{1};
  for (Instant begin = recording.spans[0].begin; begin < recording.spans[0].end; begin += kPeriod) {
    power.windows[0].push_back(
        {.begin = begin, .end = begin + kPeriod, .energy = Watts{50} * kPeriod});
  }
  for (const Depth depth : {Depth::minimal, Depth::module, Depth::deep}) {
    std::vector<double> took_ms;
    std::size_t kept_bytes = 0;
    for (int round = 0; round < 3; ++round) {
      ProfiledRun run;
      run.depth = depth;
      const auto begin = std::chrono::steady_clock::now();
      assemble_run(recording.view(), power, run);
      took_ms.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
              .count());
      kept_bytes = run.operation_table.events.capacity() * sizeof(OperationEvent);
    }
    figure(fmt::format("operation.assemble_million_{}", to_string(depth)), median(took_ms), "ms");
    if (depth == Depth::deep) {
      figure("operation.kept",
             static_cast<double>(kept_bytes) / static_cast<double>(recording.passes.stamps.size()),
             "bytes");
    }
  }
}

}  // namespace

void bench_operations() {
  bench_stamps();
  bench_engine_clock();
  figure("operation.kept_while_running", sizeof(Instant), "bytes");
  bench_assembly();
}

}  // namespace enprof::bench
