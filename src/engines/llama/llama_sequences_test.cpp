// What benchmarks ask of a generation: several sequences, a filled context, types of the cache.
#include "engines/llama/llama_generation.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "model/context_fill.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;

class LlamaSequencesTest : public ::testing::Test {
 protected:
  LlamaSequencesTest() : engine_(load()) {}

  [[nodiscard]] LlamaEngine load() const {
    auto shape = testing::tiny_shape(directory_.path() / "m.gguf");
    shape.heads = 2;  // so that a head's keys are a block of Q8_0
    shape.kv_heads = 1;
    const auto path = testing::make_model(shape);
    auto engine = LlamaEngine::load(path, {.threads = 1, .warm_up = false});
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return std::move(*engine);
  }
  [[nodiscard]] ProfiledRun generate(const GenerateOptions& options) {
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                       static_cast<ProfileDatabase*>(nullptr)};
    RunScope run = profiler.run({.prompt = options.prompt, .max_output_tokens = 1024});
    const Result<GenerateResult> result = engine_.generate(run, options);
    EXPECT_TRUE(result) << result.error().message;
    return run.finish();
  }
  [[nodiscard]] Error error_of(const GenerateOptions& options) {
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr),
                                       static_cast<ProfileDatabase*>(nullptr)};
    RunScope run = profiler.run({.prompt = options.prompt, .max_output_tokens = 1024});
    const Result<GenerateResult> result = engine_.generate(run, options);
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }
  static std::vector<std::string> texts_of(const ProfiledRun& run, std::size_t sequence,
                                           std::size_t sequences) {
    std::vector<std::string> texts;
    for (std::size_t index = sequence; index < run.tokens.size(); index += sequences) {
      texts.push_back(run.tokens[index].text);
    }
    return texts;
  }
  static double fill_ms(const ProfiledRun& run) {
    const auto found = std::ranges::find(run.sections, kContextFillSection, &SectionFigure::name);
    return found == run.sections.end() ? -1.0 : to_ms(found->figure.duration);
  }

  const testing::TempDir directory_;
  LlamaEngine engine_;
};

TEST_F(LlamaSequencesTest, EachSequenceSaysWhatItSaysAlone) {
  const GenerateOptions options{
      .synthetic_prompt = 20, .max_tokens = 6, .seed = 7, .ignore_eos = true};
  GenerateOptions three = options;
  three.sequences = 3;
  three.micro_batch = 16;  // chunks reach over the prompts' borders
  const ProfiledRun together = generate(three);
  EXPECT_EQ(together.totals.prompt_tokens, 60U);
  EXPECT_EQ(together.totals.output_tokens, 18U);
  for (std::size_t sequence = 0; sequence < 3; ++sequence) {
    GenerateOptions alone = options;
    alone.seed += static_cast<std::uint32_t>(sequence);
    EXPECT_EQ(texts_of(together, sequence, 3), texts_of(generate(alone), 0, 1)) << sequence;
  }
  const auto in_prefill = std::ranges::count(together.tokens, Phase::prefill, &TokenFigure::phase);
  EXPECT_EQ(in_prefill, 3) << "the first of each";
}

TEST_F(LlamaSequencesTest, ATextIsThePromptOfAllSequences) {
  const ProfiledRun run =
      generate({.prompt = "Once upon a time", .max_tokens = 4, .sequences = 2, .ignore_eos = true});
  EXPECT_EQ(texts_of(run, 0, 2), texts_of(run, 1, 2));
}

TEST_F(LlamaSequencesTest, AFilledContextIsComputedOnceAndIsNoPartOfTheFirstToken) {
  const GenerateOptions options{
      .prompt = "Once upon a time", .max_tokens = 6, .filled_context = 48, .ignore_eos = true};
  const ProfiledRun first = generate(options);
  const ProfiledRun again = generate(options);
  EXPECT_EQ(first.response, again.response) << "the state that was kept is the same";
  GenerateOptions fresh = options;
  fresh.filled_context = 0;
  EXPECT_NE(first.response, generate(fresh).response) << "what is before the prompt matters";
  EXPECT_GE(fill_ms(first), 0.0);
  EXPECT_EQ(fill_ms(generate(fresh)), -1.0);
  ASSERT_TRUE(first.totals.time_to_first_token);
  const double first_token =
      to_ms(first.tokens.front().begin + first.tokens.front().figure.duration);
  EXPECT_NEAR(to_ms(*first.totals.time_to_first_token), first_token - fill_ms(first), 1e-6);
  EXPECT_EQ(first.totals.prompt_tokens, again.totals.prompt_tokens);
  EXPECT_EQ(first.model.context, 48 + 5 + 6);
}

TEST_F(LlamaSequencesTest, AFilledContextIsThatOfAllSequences) {
  const ProfiledRun run = generate({.prompt = "Once upon a time",
                                    .max_tokens = 4,
                                    .filled_context = 32,
                                    .sequences = 2,
                                    .ignore_eos = true});
  const ProfiledRun alone = generate(
      {.prompt = "Once upon a time", .max_tokens = 4, .filled_context = 32, .ignore_eos = true});
  EXPECT_EQ(texts_of(run, 0, 2), texts_of(alone, 0, 1));
  EXPECT_EQ(texts_of(run, 1, 2), texts_of(alone, 0, 1));
}

TEST_F(LlamaSequencesTest, TypesOfTheCacheChangeItsSize) {
  GenerateOptions options{.prompt = "Hello", .max_tokens = 2};
  const auto usual = generate(options).model.kv_cache_bytes;
  options.cache_type_k = "q8_0";
  options.cache_type_v = "f32";
  // A block of 32 values of Q8_0 has 34 bytes; F16 has 64, F32 128.
  EXPECT_EQ(generate(options).model.kv_cache_bytes, *usual / 128 * (34 + 128));
  options.cache_type_v = "q8_0";
  options.flash_attention = true;
  EXPECT_EQ(generate(options).model.kv_cache_bytes, *usual / 128 * (34 + 34));
}

TEST_F(LlamaSequencesTest, WhatCannotBeIsRefused) {
  EXPECT_THAT(error_of({.prompt = "a", .sequences = 0}).message, HasSubstr("0 sequences"));
  EXPECT_THAT(error_of({.prompt = "a", .sequences = 257}).message, HasSubstr("257 sequences"));
  EXPECT_THAT(error_of({.prompt = "a", .sequences = 2}).message, HasSubstr("end together"));
  EXPECT_THAT(error_of({.prompt = "a", .filled_context = -1}).message, HasSubstr("-1 tokens"));
  const Error type = error_of({.prompt = "a", .cache_type_k = "q8-0"});
  EXPECT_THAT(type.message, HasSubstr("cannot have the type q8-0"));
  EXPECT_THAT(type.hint, HasSubstr("Did you mean 'q8_0'?"));
  EXPECT_THAT(error_of({.prompt = "a", .cache_type_v = "q8_0", .flash_attention = false}).message,
              HasSubstr("need flash attention"));
  EXPECT_THAT(error_of({.prompt = "a", .context = 8, .filled_context = 10}).message,
              HasSubstr("The prompt and what is before it have"));
}

TEST_F(LlamaSequencesTest, ATextIsScoredTokenByToken) {
  std::string text;
  for (int word = 0; word < 100; ++word) {
    text += "The fox jumps over the dog. ";
  }
  std::size_t rows = 0;
  double surprise = 0.0;
  ScoreRequest request{.text = text, .context = 100, .chunks = 3};
  request.visit = [&](const ScoreRequest::Row& row) {
    double sum = 0.0;
    for (const float log_probability : row.log_probabilities) {
      sum += std::exp(static_cast<double>(log_probability));
    }
    EXPECT_NEAR(sum, 1.0, 1e-3) << "they are probabilities";
    EXPECT_EQ(row.chunk, rows / 49);
    surprise -= row.log_probabilities[static_cast<std::size_t>(row.token)];
    ++rows;
    return true;
  };
  const auto scored = engine_.score(request);
  ASSERT_TRUE(scored) << scored.error().message;
  EXPECT_EQ(scored->chunks, 3U);
  EXPECT_EQ(scored->tokens, 3U * 49) << "of 100, 50 are read, and the last predicts the next chunk";
  EXPECT_EQ(rows, scored->tokens);
  // Weights that mean nothing know no word better than another.
  EXPECT_NEAR(surprise / static_cast<double>(rows), std::log(32000.0), 3.0);
}

TEST_F(LlamaSequencesTest, AScoreThatCannotBe) {
  ScoreRequest request{.text = "Too short.", .context = 100};
  request.visit = [](const ScoreRequest::Row&) { return true; };
  EXPECT_THAT(engine_.score(request).error().message, HasSubstr("two chunks of 100 are needed"));
  request.context = 2;
  EXPECT_THAT(engine_.score(request).error().message, HasSubstr("too short"));
  request.text = std::string(2000, 'a');
  request.context = 16;
  std::stop_source stop;
  stop.request_stop();
  request.stop = stop.get_token();
  EXPECT_EQ(engine_.score(request).error().code, ErrorCode::cancelled);
  request.stop = {};
  request.visit = [](const ScoreRequest::Row&) { return false; };
  EXPECT_EQ(engine_.score(request).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace enprof
