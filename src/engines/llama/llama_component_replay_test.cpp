#include "engines/llama/llama_engine.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <string>

namespace enprof {
namespace {

using enprof::testing::make_model;
using enprof::testing::TempDir;
using enprof::testing::tiny_shape;
using namespace std::chrono_literals;

Result<std::unique_ptr<ComponentReplay>> replay_of(LlamaEngine& engine, int threads = 2) {
  return engine.prepare_replay({.threads = threads});
}

class LlamaComponentReplayOf : public ::testing::TestWithParam<const char*> {};

TEST_P(LlamaComponentReplayOf, RunsEachClassAlone) {
  TempDir directory;
  SynthOptions shape = tiny_shape(directory.path() / "m.gguf", GetParam());
  auto engine = LlamaEngine::load(make_model(shape), {.gpu_layers = 0});
  ASSERT_TRUE(engine) << engine.error().message;
  auto replay = replay_of(*engine);
  ASSERT_TRUE(replay) << replay.error().message;
  const auto classes = (*replay)->classes();
  std::set<std::pair<Phase, std::string>> components;
  for (std::size_t index = 0; index < classes.size(); ++index) {
    const ReplayClass& one = classes[index];
    components.emplace(one.phase, one.component);
    EXPECT_GT(one.operations, 0U);
    EXPECT_GT(one.pass_time, 0ns);
    const auto ran = (*replay)->run(index, 1ms, {});
    ASSERT_TRUE(ran) << one.component << " " << one.op << ": " << ran.error().message;
    EXPECT_GE(ran->time, 1ms);
    EXPECT_GT(ran->operations, 0U);
  }
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    EXPECT_TRUE(components.contains({phase, "lm_head"}));
    EXPECT_TRUE(components.contains({phase, "embedding"}));
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, LlamaComponentReplayOf,
                         ::testing::ValuesIn({"llama", "qwen3", "qwen3moe", "gemma2", "gpt2",
                                              "mamba"}),
                         [](const auto& each) { return std::string{each.param}; });

TEST(LlamaComponentReplay, AStopEndsARun) {
  TempDir directory;
  auto engine =
      LlamaEngine::load(make_model(tiny_shape(directory.path() / "m.gguf")), {.gpu_layers = 0});
  ASSERT_TRUE(engine);
  auto replay = replay_of(*engine);
  ASSERT_TRUE(replay) << replay.error().message;
  std::stop_source stop;
  stop.request_stop();
  const auto ran = (*replay)->run(0, 1h, stop.get_token());
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::cancelled);
}

TEST(LlamaComponentReplay, TheModelGeneratesAfterwardsAsBefore) {
  TempDir directory;
  auto engine =
      LlamaEngine::load(make_model(tiny_shape(directory.path() / "m.gguf")), {.gpu_layers = 0});
  ASSERT_TRUE(engine);
  const auto generate = [&] {
    InferencePipelineProfiler profiler(nullptr, nullptr);
    RunScope run = profiler.run({});
    const auto generated = engine->generate(run, {.prompt = "Once upon", .max_tokens = 8});
    EXPECT_TRUE(generated);
    return generated->response;
  };
  const std::string before = generate();
  {
    auto replay = replay_of(*engine);
    ASSERT_TRUE(replay) << replay.error().message;
    for (std::size_t index = 0; index < (*replay)->classes().size(); ++index) {
      ASSERT_TRUE((*replay)->run(index, 1ms, {}));
    }
  }
  EXPECT_EQ(generate(), before);
}

}  // namespace
}  // namespace enprof
