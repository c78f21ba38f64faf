// Whole generations at each depth: what they tell, and that they say the same.
#include "engines/llama/llama_engine.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "profile/tensor_statistics.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::int32_t kNone = OperationInfo::kNoLayer;

ProfiledRun generate(LlamaEngine& engine, const GenerateOptions& options, Depth depth) {
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                     static_cast<ProfileDatabase*>(nullptr)};
  RunScope run = profiler.run({.prompt = options.prompt, .depth = depth, .max_output_tokens = 512});
  const auto result = engine.generate(run, options);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return run.finish();
}

/// Warnings that say that something was not timed.
std::vector<std::string> complaints(const ProfiledRun& run) {
  std::vector<std::string> codes;
  for (const Warning& warning : run.warnings) {
    if (warning.code != "foreign_load" && warning.code != "context_beyond_training" &&
        warning.component != "power") {
      codes.push_back(warning.code);
    }
  }
  return codes;
}

struct Architecture {
  std::string name;
  std::string architecture;
  int experts = 0;
};
void PrintTo(const Architecture& architecture, std::ostream* out) { *out << architecture.name; }

class LlamaDepth : public ::testing::TestWithParam<Architecture> {
 protected:
  LlamaDepth() : engine_(load()) {}

  [[nodiscard]] LlamaEngine load() const {
    SynthOptions shape = testing::tiny_shape(directory_.path() / "m.gguf", GetParam().architecture);
    shape.experts = GetParam().experts;
    shape.context = 512;
    auto engine = LlamaEngine::load(testing::make_model(shape), {.threads = 1, .warm_up = false});
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return std::move(*engine);
  }

  const testing::TempDir directory_;
  LlamaEngine engine_;
};

TEST_P(LlamaDepth, SaysTheSameAtEveryDepth) {
  GenerateOptions greedy{.prompt = "Once upon a time", .max_tokens = 24, .ignore_eos = true};
  GenerateOptions sampled = greedy;
  sampled.temperature = 1.5F;
  sampled.top_k = 0;
  sampled.top_p = 1.0F;
  sampled.seed = 7;
  for (GenerateOptions options : {greedy, sampled}) {
    const ProfiledRun plain = generate(engine_, options, Depth::minimal);
    EXPECT_THAT(plain.tokens, SizeIs(24));
    EXPECT_EQ(generate(engine_, options, Depth::module).response, plain.response);
    for (const int every : {0, 1, 5}) {
      options.values_every = every;
      const ProfiledRun deep = generate(engine_, options, Depth::deep);
      EXPECT_EQ(deep.response, plain.response) << "values on one token in " << every;
      EXPECT_THAT(complaints(deep), IsEmpty());
    }
  }
}

TEST_P(LlamaDepth, LayersAndComponentsAndOperationsAddUp) {
  const ProfiledRun run = generate(
      engine_,
      {.prompt = "Once upon a time", .max_tokens = 8, .ignore_eos = true, .values_every = 0},
      Depth::deep);
  EXPECT_THAT(complaints(run), IsEmpty());
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    std::map<std::int32_t, Nanoseconds> of_layers;
    std::map<std::int32_t, Nanoseconds> of_components;
    Nanoseconds layers{0};
    Nanoseconds components{0};
    Nanoseconds self{0};
    for (const LayerFigure& layer : run.layers) {
      if (layer.phase == phase) {
        of_layers[layer.layer] += layer.figure.duration;
        layers += layer.figure.duration;
      }
    }
    for (const ComponentFigure& component : run.components) {
      if (component.phase == phase) {
        of_components[component.layer] += component.figure.duration;
        components += component.figure.duration;
        self += component.component == kSelfComponent ? component.figure.duration : Nanoseconds{0};
        EXPECT_NE(component.component, kUntimedComponent);
      }
    }
    EXPECT_EQ(of_layers, of_components);
    EXPECT_THAT(of_layers, SizeIs(3));  // two, and what is outside of them
    Nanoseconds operations{0};
    for (const OperationEvent& event : run.operation_table.events) {
      operations += Nanoseconds{event.phase == phase ? event.duration_ns : 0};
    }
    EXPECT_EQ(operations + self, components);
    Nanoseconds forward{0};
    for (const SectionFigure& section : run.sections) {
      forward += section.phase == phase && section.name == "forward" ? section.figure.duration
                                                                     : Nanoseconds{0};
    }
    EXPECT_LE(layers, forward);
    EXPECT_GT(operations, Nanoseconds{0});
  }
  // Each decode pass has the same operations.
  std::map<std::int32_t, std::size_t> by_token;
  for (const OperationEvent& event : run.operation_table.events) {
    ++by_token[event.token];
  }
  ASSERT_THAT(by_token, SizeIs(8));  // the prompt, and tokens 1 to 7
  for (const auto& [token, count] : by_token) {
    EXPECT_EQ(count, by_token.at(1)) << token;
  }
}

TEST_P(LlamaDepth, ModuleKnowsTheSameLayers) {
  const GenerateOptions options{
      .prompt = "Once upon a time", .max_tokens = 6, .ignore_eos = true, .values_every = 0};
  const ProfiledRun module = generate(engine_, options, Depth::module);
  const ProfiledRun deep = generate(engine_, options, Depth::deep);
  EXPECT_THAT(complaints(module), IsEmpty());
  EXPECT_THAT(module.operation_table.events, IsEmpty());
  EXPECT_THAT(module.values.activations, IsEmpty());
  const auto names = [](const ProfiledRun& run) {
    std::set<std::tuple<Phase, std::int32_t, std::string>> result;
    for (const ComponentFigure& component : run.components) {
      result.emplace(component.phase, component.layer, component.component);
    }
    return result;
  };
  EXPECT_EQ(names(module), names(deep));
  EXPECT_THAT(names(module), Contains(std::tuple(Phase::decode, kNone, std::string("lm_head"))));
}

TEST_P(LlamaDepth, ValuesOfEveryComponent) {
  const ProfiledRun run = generate(
      engine_,
      {.prompt = "Once upon a time", .max_tokens = 6, .ignore_eos = true, .values_every = 2},
      Depth::deep);
  EXPECT_EQ(run.values.every, 2U);
  // Five decode passes: the first is watched, then one is owed, and one in two.
  EXPECT_EQ(run.values.passes, 3U);
  std::set<std::int32_t> tokens;
  for (const ActivationValues& values : run.values.activations) {
    tokens.insert(values.token);
    EXPECT_EQ(values.phase, Phase::decode);
    EXPECT_TRUE(std::isfinite(values.mean) && std::isfinite(values.standard_deviation));
    EXPECT_GE(values.maximum, std::abs(values.mean)) << values.component;
    EXPECT_GE(values.sparsity, 0.0);
    EXPECT_LE(values.sparsity, 1.0);
    const bool norm = values.component.ends_with("norm");
    EXPECT_EQ(values.variance_ratio.has_value(), norm) << values.component;
  }
  EXPECT_THAT(tokens, SizeIs(3));
  EXPECT_THAT(tokens, Not(Contains(0)));
  // Those passes are not timed by operation, the others are.
  std::set<std::int32_t> timed;
  for (const OperationEvent& event : run.operation_table.events) {
    timed.insert(event.token);
  }
  for (const std::int32_t token : tokens) {
    EXPECT_THAT(timed, Not(Contains(token)));
  }
  EXPECT_THAT(timed, SizeIs(3));  // the prompt and two tokens
  EXPECT_THAT(complaints(run), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    All, LlamaDepth,
    ::testing::Values(Architecture{"llama", "llama"}, Architecture{"qwen2", "qwen2"},
                      Architecture{"qwen3", "qwen3"}, Architecture{"phi3", "phi3"},
                      Architecture{"gemma", "gemma"}, Architecture{"mixtral", "llama", 4},
                      Architecture{"qwen2moe", "qwen2moe"}, Architecture{"qwen3moe", "qwen3moe"},
                      Architecture{"falcon", "falcon"}, Architecture{"gpt2", "gpt2"},
                      Architecture{"mamba", "mamba"}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace enprof
