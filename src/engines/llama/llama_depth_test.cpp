// Whole generations at each depth: what they record, and that their texts are equal.
#include "engines/llama/llama_engine.hpp"
#include "engines/llama/llama_handles.hpp"
#include "engines/llama/operation_clock.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "record/tensor_statistics.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::Ge;
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
        warning.component != "power" && warning.component != "machine") {
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
// Names the case of a failing test.
std::ostream& operator<<(std::ostream& out, const Architecture& architecture) {
  return out << architecture.name;
}

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

/// Equal texts might hide a difference that changes no token, so compare the logits.
TEST_P(LlamaDepth, EveryLogitIsTheSame) {
  const LlamaModelPtr model(llama_model_load_from_file((directory_.path() / "m.gguf").c_str(),
                                                       llama_model_default_params()));
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                     static_cast<ProfileDatabase*>(nullptr)};
  RunScope run = profiler.run({.prompt = "x", .depth = Depth::deep, .max_output_tokens = 16});
  ValueSampler sampler({.every = 1});
  const auto logits = [&](std::optional<HookDepth> depth, ValueSampler* values = nullptr) {
    std::optional<OperationClock> clock;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = params.n_threads_batch = 1;
    if (depth) {
      clock.emplace(run, OperationClock::Options{.sampler = values});
      EXPECT_TRUE(clock->attach(*depth, values != nullptr));
      clock->set_callbacks(params);
    }
    const LlamaContextPtr context(llama_init_from_model(model.get(), params));
    std::vector<llama_token> tokens{1, 5, 7, 11, 13, 17, 19};
    std::vector<float> result;
    const auto count =
        static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model.get())));
    for (std::size_t next = 0; next < tokens.size();) {
      const std::int32_t size = next == 0 ? 4 : 1;
      if (clock) {
        clock->begin_pass(next == 0 ? Phase::prefill : Phase::decode, 0);
      }
      EXPECT_EQ(llama_decode(context.get(), llama_batch_get_one(tokens.data() + next, size)), 0);
      if (clock) {
        EXPECT_TRUE(clock->end_pass(true));
      }
      const float* const row = llama_get_logits_ith(context.get(), -1);
      result.insert(result.end(), row, row + count);
      next += static_cast<std::size_t>(size);
    }
    return result;
  };
  const std::vector<float> plain = logits(std::nullopt);
  EXPECT_EQ(logits(HookDepth::operations), plain);
  EXPECT_EQ(logits(HookDepth::operations, &sampler), plain);
  EXPECT_EQ(sampler.take().passes, 2U);
  EXPECT_EQ(logits(HookDepth::components), plain);
  EXPECT_THAT(complaints(run.finish()), IsEmpty());
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
    EXPECT_THAT(of_layers, SizeIs(3));  // two layers, and outside of the layers
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

  // Each timed token has all components, and nothing finer than components.
  std::map<std::int32_t, std::set<std::pair<std::int32_t, std::string>>> by_token;
  for (const OperationEvent& event : module.operation_table.events) {
    const OperationInfo& info = module.operation_table.operations[event.operation];
    EXPECT_EQ(info.op, "");
    if (event.phase == Phase::decode) {
      by_token[event.token].emplace(info.layer, info.component);
    }
  }
  std::set<std::pair<std::int32_t, std::string>> of_decode;
  for (const auto& [phase, layer, component] : names(module)) {
    if (phase == Phase::decode && component != kSelfComponent && component != kUntimedComponent) {
      of_decode.emplace(layer, component);
    }
  }
  EXPECT_THAT(by_token, SizeIs(Ge(4U)));  // of five; the first may be sampled
  for (const auto& [token, components] : by_token) {
    EXPECT_EQ(components, of_decode) << "of token " << token;
  }
}

TEST_P(LlamaDepth, ValuesOfEveryComponent) {
  const ProfiledRun run = generate(
      engine_,
      {.prompt = "Once upon a time", .max_tokens = 6, .ignore_eos = true, .values_every = 2},
      Depth::deep);
  EXPECT_EQ(run.values.every, 2U);
  // Five decode passes: the first is sampled, then one in two.
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
  // Sampled passes are not timed by operation, the others are.
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
                      Architecture{"gemma", "gemma"}, Architecture{"gemma2", "gemma2"},
                      Architecture{"phi2", "phi2"}, Architecture{"mixtral", "llama", 4},
                      Architecture{"qwen2moe", "qwen2moe"}, Architecture{"qwen3moe", "qwen3moe"},
                      Architecture{"falcon", "falcon"}, Architecture{"gpt2", "gpt2"},
                      Architecture{"mamba", "mamba"}),
    [](const auto& instance) { return instance.param.name; });

class LlamaDepthTest : public ::testing::Test {
 protected:
  [[nodiscard]] LlamaEngine load(int threads) const {
    auto engine =
        LlamaEngine::load(testing::make_model(testing::tiny_shape(directory_.path() / "m.gguf")),
                          {.threads = threads, .warm_up = false});
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return std::move(*engine);
  }
  /// By number of operations, how many passes of the run had that number.
  static std::map<std::size_t, std::size_t> operations_by_pass(const ProfiledRun& run) {
    std::map<std::size_t, std::size_t> passes;
    std::size_t count = 0;
    for (const OperationEvent& event : run.operation_table.events) {
      const OperationInfo& operation = run.operation_table.operations[event.operation];
      if (operation.component == "embedding" && count > 0) {
        ++passes[std::exchange(count, 0)];
      }
      ++count;
    }
    ++passes[count];
    return passes;
  }

  const testing::TempDir directory_;
};

TEST_F(LlamaDepthTest, ALongPromptIsOnePassAChunk) {
  LlamaEngine engine = load(1);
  GenerateOptions options{.max_tokens = 2, .context = 2048};
  for (int word = 0; word < 700; ++word) {
    options.prompt += " joule";  // two tokens
  }
  const ProfiledRun run = generate(engine, options, Depth::deep);
  ASSERT_GT(run.totals.prompt_tokens, 2 * 512U);
  ASSERT_LE(run.totals.prompt_tokens, 3 * 512U);
  EXPECT_THAT(complaints(run), IsEmpty());
  EXPECT_EQ(operations_by_pass(run), (std::map<std::size_t, std::size_t>{{39, 3 + 1}}));
  const auto lm_head = std::ranges::find_if(run.components, [](const ComponentFigure& component) {
    return component.phase == Phase::prefill && component.component == "lm_head";
  });
  ASSERT_NE(lm_head, run.components.end());
}

TEST_F(LlamaDepthTest, DecodeBeyondThePaddingOfTheCache) {
  LlamaEngine engine = load(1);
  const ProfiledRun run = generate(
      engine, {.prompt = "Once upon a time", .max_tokens = 300, .context = 400, .ignore_eos = true},
      Depth::deep);
  EXPECT_THAT(complaints(run), IsEmpty());
  EXPECT_THAT(run.tokens, SizeIs(300));
  EXPECT_EQ(run.values.passes, 5U);  // of 299
  // One kind of graph for the prompt, one up to 256 positions, one beyond.
  std::set<double> attention;
  for (const OperationInfo& operation : run.operation_table.operations) {
    if (operation.component == "attention" && operation.layer == 0) {
      attention.insert(operation.flops.value_or(-1.0));
    }
  }
  EXPECT_THAT(attention, SizeIs(3));
  EXPECT_EQ(operations_by_pass(run), (std::map<std::size_t, std::size_t>{{39, 300 - 5}}));
}

TEST_F(LlamaDepthTest, SaysTheSameOnTwoThreads) {
  LlamaEngine engine = load(2);
  GenerateOptions options{.prompt = "Once upon a time", .max_tokens = 6, .ignore_eos = true};
  const ProfiledRun plain = generate(engine, options, Depth::minimal);
  options.values_every = 2;
  const ProfiledRun deep = generate(engine, options, Depth::deep);
  EXPECT_EQ(deep.response, plain.response);
  EXPECT_THAT(complaints(deep), IsEmpty());
  EXPECT_EQ(deep.values.passes, 3U);
}

/// Attention weights are computed again beside flash attention: they add up to 1.
TEST_F(LlamaDepthTest, AttentionOfEachHeadAndLayer) {
  LlamaEngine engine = load(1);
  const ProfiledRun run = generate(
      engine,
      {.prompt = "Once upon a time", .max_tokens = 4, .ignore_eos = true, .values_every = 3},
      Depth::deep);
  ASSERT_EQ(run.values.passes, 1U);  // token 2, at position 6 of 6: the prompt has 5 tokens
  ASSERT_THAT(run.values.attention, SizeIs(2 * 4));
  for (std::size_t i = 0; i < run.values.attention.size(); ++i) {
    const AttentionValues& attention = run.values.attention[i];
    EXPECT_EQ(attention.layer, static_cast<std::int32_t>(i / 4));
    EXPECT_EQ(attention.head, static_cast<std::int32_t>(i % 4));
    EXPECT_GE(attention.maximum_weight, 1.0 / 7.0);
    EXPECT_LE(attention.maximum_weight, 1.0);
    EXPECT_GT(attention.entropy_nats, 0.0);
    EXPECT_LE(attention.entropy_nats, std::log(7.0) + 1e-6);
  }
}

TEST_F(LlamaDepthTest, ExpertsOfEachLayer) {
  SynthOptions shape = testing::tiny_shape(directory_.path() / "moe.gguf", "qwen3moe");
  auto engine = LlamaEngine::load(testing::make_model(shape), {.threads = 1, .warm_up = false});
  ASSERT_TRUE(engine);
  const ProfiledRun run = generate(
      *engine,
      {.prompt = "Once upon a time", .max_tokens = 4, .ignore_eos = true, .values_every = 3},
      Depth::deep);
  ASSERT_THAT(run.values.experts, SizeIs(2));
  for (const ExpertActivation& activation : run.values.experts) {
    ASSERT_THAT(activation.experts, SizeIs(2));
    ASSERT_THAT(activation.weights, SizeIs(2));
    EXPECT_NE(activation.experts[0], activation.experts[1]);
    EXPECT_LT(activation.experts[0], 8);
    EXPECT_GE(activation.weights[0], activation.weights[1]);
    EXPECT_NEAR(activation.weights[0] + activation.weights[1], 1.0F, 1e-4F);
    EXPECT_GT(activation.routing_entropy_nats, 0.0);
    EXPECT_LE(activation.routing_entropy_nats, std::log(8.0) + 1e-6);
  }
}

TEST_F(LlamaDepthTest, RefusesOptionsThatMakeNoSense) {
  LlamaEngine engine = load(1);
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                     static_cast<ProfileDatabase*>(nullptr)};
  RunScope run = profiler.run({.prompt = "x", .depth = Depth::deep});
  const auto every = engine.generate(run, {.prompt = "x", .values_every = -1});
  ASSERT_FALSE(every);
  EXPECT_EQ(every.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(every.error().hint, ::testing::HasSubstr("--values-every"));
  const auto threshold = engine.generate(run, {.prompt = "x", .sparsity_threshold = -0.5F});
  ASSERT_FALSE(threshold);
  EXPECT_THAT(threshold.error().hint, ::testing::HasSubstr("--sparsity-threshold"));
}

}  // namespace
}  // namespace enprof
