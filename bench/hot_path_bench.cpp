#include "hot_path_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "bench_graph.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

namespace enprof::bench {
namespace {

constexpr std::size_t kOperations = 100;
constexpr std::size_t kLayers = 16;
/// Memory is allocated for this many in every case, so that only the work itself is counted.
constexpr std::size_t kMostTimes = 4096;

void make_scopes(std::string_view what, std::size_t times) {
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr};
  RunScope run =
      profiler.run({.model_name = "none", .depth = Depth::deep, .max_output_tokens = kMostTimes});
  run.enter(Phase::decode);
  const std::uint32_t plan = run.add_plan({.operations = std::vector<OperationInfo>(kOperations)});
  for (std::size_t done = 0; done < times; ++done) {
    if (what == "stamp") {
      PassScope pass = run.pass(plan);
      for (std::size_t operation = 0; operation < kOperations; ++operation) {
        pass.stamp();
      }
    } else if (what == "section") {
      const SectionScope section = run.section(Phase::decode, "forward");
    } else {
      TokenScope token = run.token(Phase::decode);
      token.set_text("text");
    }
  }
  run.abandon();
}

/// `with_new_clock`: with a new clock each time, which does not know the graph.
void run_graph(std::size_t times, bool with_new_clock) {
  const BenchGraph graph(kLayers);
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr};
  RunScope run =
      profiler.run({.model_name = "none", .depth = Depth::deep, .max_output_tokens = kMostTimes});
  {
    std::optional<OperationClock> clock;
    const SectionScope section = run.section(Phase::decode, "forward");
    for (std::size_t done = 0; done < times; ++done) {
      if (with_new_clock || !clock) {
        clock.emplace(run, OperationClock::Options{});
        static_cast<void>(clock->attach(HookDepth::operations, false));
      }
      clock->begin_pass(Phase::decode, 0);
      graph.run(*clock);
      static_cast<void>(clock->end_pass(true));
    }
  }
  run.abandon();
}

}  // namespace

bool run_hot_path(std::span<const char* const> arguments) {
  const int times = arguments.size() == 2 ? std::atoi(arguments[1]) : 0;
  const std::string_view what = times > 0 ? arguments[0] : "";
  if (what == "stamp" || what == "section" || what == "token") {
    make_scopes(what, static_cast<std::size_t>(times));
    return true;
  }
  if (what == "graph" || what == "new_graph") {
    run_graph(static_cast<std::size_t>(times), what == "new_graph");
    return true;
  }
  if (what == "operations") {  // prints the number of a graph's operations, to divide the counts by
    fmt::print("{}\n", BenchGraph(kLayers).operations());
    return true;
  }
  std::fputs(
      "enprof_bench: hot_path needs stamp, section, token, graph or new_graph, and a number of "
      "times\n",
      stderr);
  return false;
}

}  // namespace enprof::bench
