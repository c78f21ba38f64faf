// Generations read the power counter between their operations, at every depth.
#include "engines/llama/llama_engine.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/border_source.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace enprof {
namespace {

class LlamaBorders : public ::testing::TestWithParam<Depth> {};

TEST_P(LlamaBorders, AreReadAtEachDepth) {
  const testing::TempDir directory;
  auto engine =
      LlamaEngine::load(testing::make_model(testing::tiny_shape(directory.path() / "m.gguf")),
                        {.threads = 1, .warm_up = false});
  ASSERT_TRUE(engine) << engine.error().message;
  std::atomic<int> reads = 0;
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::BorderSource>(monotonic_clock(), reads));
  PowerMonitor monitor(std::move(sources));
  ASSERT_TRUE(monitor.start());
  InferencePipelineProfiler profiler{&monitor, nullptr};
  RunScope run =
      profiler.run({.prompt = "Once upon a time", .depth = GetParam(), .max_output_tokens = 64});
  EXPECT_EQ(reads, 0);
  const auto result = engine->generate(
      run, {.prompt = "Once upon a time", .max_tokens = 64, .ignore_eos = true, .values_every = 8});
  ASSERT_TRUE(result) << result.error().message;
  const int read = reads;
  EXPECT_GT(read, 3) << "it computes for some ten milliseconds, and the counter steps each";
  run.finish();
  EXPECT_EQ(reads, read);
}

INSTANTIATE_TEST_SUITE_P(All, LlamaBorders,
                         ::testing::Values(Depth::minimal, Depth::module, Depth::deep),
                         [](const auto& depth) {
                           return depth.param == Depth::minimal  ? "minimal"
                                  : depth.param == Depth::module ? "module"
                                                                 : "deep";
                         });

}  // namespace
}  // namespace enprof
