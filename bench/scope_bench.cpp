// Measures the cost of the hot path without a model.
#include "scope_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "figure.hpp"

#include <chrono>
#include <vector>

namespace enprof::bench {
namespace {

constexpr std::size_t kTokens = 100'000;
constexpr int kRounds = 9;

}  // namespace

void bench_scopes() {
  std::vector<double> section_ns;
  std::vector<double> token_ns;
  for (int round = 0; round < kRounds; ++round) {
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr};
    RunScope run = profiler.run({.model_name = "none", .max_output_tokens = kTokens});
    run.enter(Phase::decode);

    auto begin = std::chrono::steady_clock::now();
    for (std::size_t token = 0; token < kTokens; ++token) {
      const SectionScope section = run.section(Phase::decode, "forward");
    }
    std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    section_ns.push_back(took.count() / kTokens);

    begin = std::chrono::steady_clock::now();
    for (std::size_t token = 0; token < kTokens; ++token) {
      TokenScope scope = run.token(Phase::decode);
      scope.set_text("text");
    }
    took = std::chrono::steady_clock::now() - begin;
    token_ns.push_back(took.count() / kTokens);
    run.abandon();
  }
  figure("scope.section", median(section_ns), "ns");
  figure("scope.token", median(token_ns), "ns");
}

}  // namespace enprof::bench
