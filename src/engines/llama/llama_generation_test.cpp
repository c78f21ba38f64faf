#include "engines/llama/llama_generation.hpp"

#include "base/utf8.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A generation and the run that it made.
struct Generated {
  Result<GenerateResult> result;
  ProfiledRun run;
};

Generated generate(LlamaEngine& engine, const GenerateOptions& options) {
  InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                     static_cast<ProfileDatabase*>(nullptr)};
  RunScope run = profiler.run({.prompt = options.prompt, .max_output_tokens = 1024});
  Result<GenerateResult> result = engine.generate(run, options);
  return {std::move(result), run.finish()};
}

std::vector<std::pair<Phase, std::string>> sections_of(const ProfiledRun& run) {
  std::vector<std::pair<Phase, std::string>> names;
  for (const SectionFigure& section : run.sections) {
    if (section.name != "(self)") {
      names.emplace_back(section.phase, section.name);
    }
  }
  return names;
}

std::size_t count_of(const ProfiledRun& run, Phase phase, const std::string& name) {
  for (const SectionFigure& section : run.sections) {
    if (section.phase == phase && section.name == name) {
      return section.count;
    }
  }
  return 0;
}

bool has_warning(const ProfiledRun& run, std::string_view code) {
  return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
}

class LlamaGenerationTest : public ::testing::Test {
 protected:
  explicit LlamaGenerationTest(const std::string& architecture = "llama")
      : engine_(load(architecture)) {}

  [[nodiscard]] LlamaEngine load(const std::string& architecture) const {
    const auto path =
        testing::make_model(testing::tiny_shape(directory_.path() / "m.gguf", architecture));
    auto engine = LlamaEngine::load(path, {.threads = 1, .warm_up = false});
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return std::move(*engine);
  }
  [[nodiscard]] Generated generate(const GenerateOptions& options) {
    return enprof::generate(engine_, options);
  }
  [[nodiscard]] Error error_of(const GenerateOptions& options) {
    const Generated generated = generate(options);
    EXPECT_FALSE(generated.result.has_value());
    return generated.result ? Error{} : generated.result.error();
  }

  const testing::TempDir directory_;
  LlamaEngine engine_;
};

TEST_F(LlamaGenerationTest, WritesTheWholePipelineIntoTheRun) {
  std::vector<std::string> streamed;
  const auto [result, run] = generate({.prompt = "Hello world",
                                       .max_tokens = 5,
                                       .on_token = [&](std::size_t index, std::string_view text) {
                                         EXPECT_EQ(index, streamed.size());
                                         streamed.emplace_back(text);
                                       }});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->prompt_tokens, 3U);
  EXPECT_EQ(result->output_tokens, 5U);
  EXPECT_EQ(result->finish_reason, "length");
  EXPECT_NE(result->response, "");

  EXPECT_THAT(
      sections_of(run),
      ElementsAre(std::pair(Phase::pre_inference, "tokenization"),
                  std::pair(Phase::pre_inference, "kv_cache_setup"),
                  std::pair(Phase::prefill, "forward"), std::pair(Phase::prefill, "sampling"),
                  std::pair(Phase::prefill, "detokenization"), std::pair(Phase::decode, "forward"),
                  std::pair(Phase::decode, "sampling"), std::pair(Phase::decode, "detokenization"),
                  std::pair(Phase::post_inference, "detokenization"),
                  std::pair(Phase::post_inference, "cleanup")));
  EXPECT_EQ(count_of(run, Phase::prefill, "sampling"), 1U);
  EXPECT_EQ(count_of(run, Phase::decode, "forward"), 4U);
  ASSERT_THAT(run.tokens, SizeIs(5));
  EXPECT_EQ(run.tokens.front().phase, Phase::prefill);
  std::vector<std::string> texts;
  for (const TokenFigure& token : run.tokens) {
    EXPECT_EQ(token.phase, token.index == 0 ? Phase::prefill : Phase::decode);
    EXPECT_GT(token.figure.duration.count(), 0);
    texts.push_back(token.text);
  }
  EXPECT_EQ(texts, streamed);
  EXPECT_EQ(run.totals.prompt_tokens, 3U);
  EXPECT_EQ(run.totals.output_tokens, 5U);
  EXPECT_EQ(run.response, result->response);
  EXPECT_EQ(run.finish_reason, "length");
  EXPECT_EQ(run.model.layers, 2);
  EXPECT_EQ(run.model.context, 8);
  EXPECT_EQ(run.model.threads, 1);
  EXPECT_EQ(run.model.kv_cache_bytes, 2 * 256 * 2 * 32 * 2U);     // llama.cpp pads to 256 positions
  EXPECT_EQ(run.model.kv_cache_used_bytes, 2 * 7 * 2 * 32 * 2U);  // the last token is not fed back
  EXPECT_FALSE(has_warning(run, "output_not_finite"));
  EXPECT_FALSE(has_warning(run, "context_beyond_training"));
}

TEST_F(LlamaGenerationTest, GreedyRepeats) {
  const GenerateOptions options{.prompt = "Once upon a time", .max_tokens = 24};
  const Generated first = generate(options);
  ASSERT_TRUE(first.result);
  EXPECT_EQ(first.result->output_tokens, 24U);
  EXPECT_EQ(first.result->response, generate(options).result->response);
}

TEST_F(LlamaGenerationTest, SamplingRepeatsWithItsSeed) {
  GenerateOptions options{.prompt = "Once upon a time",
                          .max_tokens = 24,
                          .seed = 7,
                          .temperature = 1.5F,
                          .top_k = 0,
                          .top_p = 1.0F};
  const std::string first = generate(options).result->response;
  EXPECT_EQ(first, generate(options).result->response);
  options.seed = 8;
  EXPECT_NE(first, generate(options).result->response);
  options.seed = 0xFFFFFFFF;  // "any" to llama.cpp
  const std::string any = generate(options).result->response;
  EXPECT_EQ(any, generate(options).result->response);
}

TEST_F(LlamaGenerationTest, ALongPromptGoesInChunks) {
  GenerateOptions options{.max_tokens = 2, .context = 8192};
  for (int word = 0; word < 2200; ++word) {
    options.prompt += " joule";
  }
  const auto [result, run] = generate(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GT(result->prompt_tokens, 4096U);
  EXPECT_EQ(result->output_tokens, 2U);
  EXPECT_EQ(count_of(run, Phase::prefill, "forward"), 1U);
  EXPECT_TRUE(has_warning(run, "context_beyond_training"));
}

TEST_F(LlamaGenerationTest, ASyntheticPromptHasItsLengthAndGoesInBatches) {
  const auto passes = [&](int batch, int micro_batch) {
    const auto [result, run] = generate({.synthetic_prompt = 40,
                                         .max_tokens = 3,
                                         .batch = batch,
                                         .micro_batch = micro_batch,
                                         .ignore_eos = true});
    EXPECT_TRUE(result) << result.error().message;
    EXPECT_EQ(run.totals.prompt_tokens, 40U);
    EXPECT_EQ(run.totals.output_tokens, 3U);
    return result->response;
  };
  const std::string whole = passes(0, 0);
  EXPECT_EQ(passes(16, 0), whole);
  EXPECT_EQ(passes(32, 8), whole);
  EXPECT_THAT(error_of({.synthetic_prompt = 40, .batch = -1}).message,
              HasSubstr("A batch of -1 tokens"));
  EXPECT_THAT(error_of({.synthetic_prompt = -4}).message, HasSubstr("A prompt of -4 tokens"));
}

TEST_F(LlamaGenerationTest, StopsWhenTheContextIsFull) {
  // 3 prompt tokens and 4 of output fill 7 positions; the 5th needs none.
  const auto [result, run] = generate({.prompt = "Hello world", .max_tokens = 100, .context = 7});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->finish_reason, "context_full");
  EXPECT_EQ(result->output_tokens, 5U);
  EXPECT_EQ(run.finish_reason, "context_full");
}

TEST_F(LlamaGenerationTest, SizesTheContextUpToTheTrainedOne) {
  const auto [result, run] = generate({.prompt = "Hello world", .max_tokens = 100'000});
  ASSERT_TRUE(result);
  EXPECT_EQ(run.model.context, 128);
  EXPECT_EQ(result->finish_reason, "context_full");
  EXPECT_EQ(result->output_tokens, 128U - 3 + 1);
}

TEST_F(LlamaGenerationTest, APromptThatJustFitsMakesOneToken) {
  const auto [result, run] = generate({.prompt = "Hello world", .max_tokens = 9, .context = 3});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output_tokens, 1U);
  EXPECT_EQ(result->finish_reason, "context_full");
}

TEST_F(LlamaGenerationTest, RefusesAPromptLongerThanTheContext) {
  const Error error = error_of({.prompt = "Hello world", .max_tokens = 10, .context = 2});
  EXPECT_EQ(error.code, ErrorCode::too_large);
  EXPECT_THAT(error.message, HasSubstr("3 tokens, the context holds 2"));
  EXPECT_THAT(error.hint, HasSubstr("Pass --ctx 13 or more"));
}

/// GPT-2 looks its positions up in a table: beyond its end llama.cpp would end the program.
TEST_F(LlamaGenerationTest, RefusesAContextBeyondLearnedPositions) {
  SynthOptions shape = testing::tiny_shape(directory_.path() / "gpt2.gguf", "gpt2");
  shape.vocabulary = testing::vocabulary_path("gpt-2");
  shape.kv_heads = shape.heads;
  auto engine = LlamaEngine::load(testing::make_model(shape), {.threads = 1, .warm_up = false});
  ASSERT_TRUE(engine) << engine.error().message;
  const Generated beyond =
      enprof::generate(*engine, {.prompt = "Hello", .max_tokens = 500, .context = 256});
  ASSERT_FALSE(beyond.result);
  EXPECT_EQ(beyond.result.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(beyond.result.error().message,
              AllOf(HasSubstr("256 positions"), HasSubstr("learned 128")));
  EXPECT_THAT(beyond.result.error().hint, HasSubstr("--ctx 128"));
  EXPECT_EQ(engine->most_output_tokens({.max_tokens = 500}), 128U);
  const Generated all =
      enprof::generate(*engine, {.prompt = "Hello", .max_tokens = 500, .ignore_eos = true});
  ASSERT_TRUE(all.result) << all.result.error().message;
  EXPECT_EQ(all.result->finish_reason, "context_full");
}

TEST_F(LlamaGenerationTest, RefusesAKvCacheLargerThanMemory) {
  auto engine = LlamaEngine::load(directory_.path() / "m.gguf",
                                  {.warm_up = false, .memory_bytes = 16U << 20U});
  ASSERT_TRUE(engine);
  const Generated generated = enprof::generate(*engine, {.prompt = "Hello", .context = 1'000'000});
  ASSERT_FALSE(generated.result);
  EXPECT_EQ(generated.result.error().code, ErrorCode::too_large);
  EXPECT_THAT(generated.result.error().message,
              AllOf(HasSubstr("1000000 positions"), HasSubstr("16.0 MiB")));
}

TEST_F(LlamaGenerationTest, RefusesOptionsThatMakeNoSense) {
  const std::vector<std::pair<GenerateOptions, const char*>> cases{
      {{.prompt = "x", .max_tokens = 0}, "0 tokens"},
      {{.prompt = "x", .max_tokens = -5}, "-5 tokens"},
      {{.prompt = "x", .context = -1}, "-1 positions"},
      {{.prompt = "x", .threads = -2}, "-2 threads"},
      {{.prompt = "x", .temperature = -1.0F}, "temperature of -1"},
      {{.prompt = "x", .temperature = std::numeric_limits<float>::quiet_NaN()},
       "temperature of nan"},
      {{.prompt = "x", .top_k = -1}, "-1 likeliest"},
      {{.prompt = "x", .top_p = 0.0F}, "top-p of 0"},
      {{.prompt = "x", .top_p = 1.5F}, "top-p of 1.5"},
      {{.prompt = ""}, "empty"},
      {{.prompt = "\xFF"}, "offset 0"},
      {{.prompt = "", .chat = true}, "empty"},
  };
  for (const auto& [options, words] : cases) {
    const Error error = error_of(options);
    EXPECT_EQ(error.code, ErrorCode::invalid_argument) << words;
    EXPECT_THAT(error.message, HasSubstr(words));
    EXPECT_NE(error.hint, "") << words;
  }
}

TEST_F(LlamaGenerationTest, SaysThatThereIsNoChatTemplate) {
  EXPECT_EQ(error_of({.prompt = "Hi", .chat = true}).code, ErrorCode::unsupported);
}

TEST_F(LlamaGenerationTest, CancelledBetweenTokens) {
  std::stop_source source;
  const auto [result, run] = generate({.prompt = "Hello world",
                                       .max_tokens = 100,
                                       .stop = source.get_token(),
                                       .on_token = [&source](std::size_t index, std::string_view) {
                                         if (index == 3) {
                                           source.request_stop();
                                         }
                                       }});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->finish_reason, "cancelled");
  EXPECT_EQ(result->output_tokens, 4U);
  EXPECT_THAT(run.tokens, SizeIs(4));
  EXPECT_EQ(run.response, result->response);
}

TEST_F(LlamaGenerationTest, CancelledBeforeTheFirstToken) {
  std::stop_source source;
  source.request_stop();
  const auto [result, run] = generate({.prompt = "Hello world", .stop = source.get_token()});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->finish_reason, "cancelled");
  EXPECT_EQ(result->output_tokens, 0U);
  EXPECT_EQ(result->response, "");
  EXPECT_THAT(run.tokens, IsEmpty());
}

TEST_F(LlamaGenerationTest, AListenerThatThrowsIsNotCalledAgain) {
  int calls = 0;
  const auto [result, run] = generate({.prompt = "Hello world",
                                       .max_tokens = 6,
                                       .on_token = [&calls](std::size_t, std::string_view) {
                                         ++calls;
                                         throw std::runtime_error("gone");
                                       }});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output_tokens, 6U);
  EXPECT_EQ(calls, 1);
}

TEST_F(LlamaGenerationTest, TheEngineCanBeUsedAgainAfterAnError) {
  static_cast<void>(error_of({.prompt = "Hello world", .context = 1}));
  EXPECT_TRUE(generate({.prompt = "Hello world", .max_tokens = 2}).result);
}

/// All rows of the output silenced but the end of sequence's: greedy decoding must pick that one.
TEST_F(LlamaGenerationTest, EndOfGenerationIsNotPartOfTheResponse) {
  const fs::path path = directory_.path() / "m.gguf";
  std::string bytes = testing::read_file(path);
  const auto checked = check_model(path);
  ASSERT_TRUE(checked);
  const gguf_context* gguf = checked->metadata.gguf();
  const std::int64_t id = gguf_find_tensor(gguf, "output.weight");
  ASSERT_GE(id, 0);
  const std::size_t begin = gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, id);
  const std::size_t row_bytes = gguf_get_tensor_size(gguf, id) / 32000;
  const std::string some_row = bytes.substr(begin + 1000 * row_bytes, row_bytes);
  std::string negated = some_row;  // of the logits ± x one is positive, and the others are zero
  for (std::size_t block = 0; block + 34 <= negated.size(); block += 34) {
    negated[block + 1] = static_cast<char>(negated[block + 1] ^ 0x80);  // the scale's sign
  }
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), row_bytes * 32000, '\0');
  constexpr std::size_t kEndOfSequence = 2;
  constexpr std::size_t kWord = 15043;
  bytes.replace(begin + kEndOfSequence * row_bytes, row_bytes, some_row);
  bytes.replace(begin + kWord * row_bytes, row_bytes, negated);
  auto engine =
      LlamaEngine::load(directory_.write("ending.gguf", bytes), {.threads = 1, .warm_up = false});
  ASSERT_TRUE(engine) << engine.error().message;

  const auto [stopped, run] =
      enprof::generate(*engine, {.prompt = "Hello world", .max_tokens = 100});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->finish_reason, "end_of_generation");
  EXPECT_LT(stopped->output_tokens, 100U);
  EXPECT_THAT(run.tokens, SizeIs(stopped->output_tokens));
  EXPECT_EQ(run.finish_reason, "end_of_generation");
  const Generated on =
      enprof::generate(*engine, {.prompt = "Hello world", .max_tokens = 100, .ignore_eos = true});
  ASSERT_TRUE(on.result);
  EXPECT_EQ(on.result->finish_reason, "length");
  EXPECT_EQ(on.result->output_tokens, 100U);
}

TEST_F(LlamaGenerationTest, WarnsOfOutputThatIsNoNumber) {
  const fs::path path = directory_.path() / "m.gguf";
  std::string bytes = testing::read_file(path);
  const auto checked = check_model(path);
  ASSERT_TRUE(checked);
  const gguf_context* gguf = checked->metadata.gguf();
  const std::int64_t id = gguf_find_tensor(gguf, "output_norm.weight");
  const std::size_t begin = gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, id);
  bytes.replace(begin, gguf_get_tensor_size(gguf, id), gguf_get_tensor_size(gguf, id), '\xFF');
  auto engine =
      LlamaEngine::load(directory_.write("nan.gguf", bytes), {.threads = 1, .warm_up = false});
  ASSERT_TRUE(engine);
  const Generated generated = enprof::generate(*engine, {.prompt = "Hello", .max_tokens = 3});
  EXPECT_TRUE(generated.result);
  EXPECT_TRUE(has_warning(generated.run, "output_not_finite"));
}

/// Each architecture that can be made: it loads, is warmed up, decodes numbers, and does not end at
/// once.
class LlamaArchitecture : public ::testing::TestWithParam<std::string> {};

TEST_P(LlamaArchitecture, Generates) {
  const testing::TempDir directory;
  SynthOptions options = testing::tiny_shape(directory.path() / "m.gguf", GetParam());
  options.layers = 3;
  options.embd = 256;  // so that K-quants fit
  options.ff = 512;
  options.type = "q4_k_m";
  auto engine = LlamaEngine::load(testing::make_model(options), {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->facts().architecture, GetParam());
  EXPECT_EQ(engine->facts().layers, 3);
  const Generated generated =
      enprof::generate(*engine, {.prompt = "The energy of a token", .max_tokens = 12});
  ASSERT_TRUE(generated.result) << generated.result.error().message;
  EXPECT_EQ(generated.result->output_tokens, 12U);
  EXPECT_EQ(generated.result->finish_reason, "length");
  EXPECT_EQ(first_invalid_utf8(generated.result->response), std::nullopt);
  EXPECT_FALSE(has_warning(generated.run, "output_not_finite"));
  const Generated again =
      enprof::generate(*engine, {.prompt = "The energy of a token", .max_tokens = 12});
  EXPECT_EQ(again.result->response, generated.result->response);
}

INSTANTIATE_TEST_SUITE_P(All, LlamaArchitecture, ::testing::ValuesIn(synth_architectures()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace enprof
