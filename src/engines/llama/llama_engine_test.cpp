#include "engines/llama/llama_engine.hpp"

#include "engines/llama/gguf_check.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gguf.h>
#include <gmock/gmock.h>
#include <llama.h>

#include <algorithm>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LlamaEngineTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path make(const std::string& architecture = "llama") const {
    return testing::make_model(testing::tiny_shape(directory_.path() / "m.gguf", architecture));
  }
  [[nodiscard]] static LlamaEngine loaded(const fs::path& path) {
    auto engine = LlamaEngine::load(path, {.warm_up = false});
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    return std::move(*engine);
  }
  /// A model with one key changed; the weights stay the same.
  [[nodiscard]] fs::path with_key(const fs::path& path, void (*change)(gguf_context*)) const {
    const auto original = check_model(path);
    EXPECT_TRUE(original.has_value());
    auto* gguf = const_cast<gguf_context*>(original->metadata.gguf());
    const std::size_t data = gguf_get_data_offset(gguf);
    change(gguf);
    std::string text(gguf_get_meta_size(gguf), '\0');
    gguf_get_meta_data(gguf, text.data());
    return directory_.write("changed.gguf", text + testing::read_file(path).substr(data));
  }

  const testing::TempDir directory_;
};

TEST_F(LlamaEngineTest, ARunHasNoMoreTokensThanItsContext) {
  const auto engine = LlamaEngine::load(make(), {.threads = 2});  // trained for 128
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->most_output_tokens({.max_tokens = 7}), 7U);
  EXPECT_EQ(engine->most_output_tokens({.max_tokens = 1'000'000}), 128U);
  EXPECT_EQ(engine->most_output_tokens({.max_tokens = 1'000'000, .context = 512}), 512U);
  EXPECT_EQ(engine->most_output_tokens({.max_tokens = -1}), 0U);
}

TEST_F(LlamaEngineTest, LoadsWithProgress) {
  std::vector<float> progress;
  const auto engine = LlamaEngine::load(
      make(), {.threads = 2, .progress = [&progress](float done) { progress.push_back(done); }});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_THAT(progress, SizeIs(Gt(2U)));
  EXPECT_TRUE(std::ranges::is_sorted(progress));
  EXPECT_EQ(engine->facts().layers, 2);
  EXPECT_EQ(engine->facts().gpu_layers, 0);
}

TEST_F(LlamaEngineTest, AProgressBarThatThrowsIsLeftAlone) {
  int calls = 0;
  const auto engine =
      LlamaEngine::load(make(), {.warm_up = false, .progress = [&calls](float /*done*/) {
                                   ++calls;
                                   throw std::runtime_error("no terminal");
                                 }});
  EXPECT_TRUE(engine);
  EXPECT_EQ(calls, 1);
}

TEST_F(LlamaEngineTest, LoadingCanBeCancelled) {
  const auto path = make();
  std::stop_source before_it;
  before_it.request_stop();
  const auto before = LlamaEngine::load(path, {.stop = before_it.get_token()});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::cancelled);
  std::stop_source amid_it;
  const auto during =
      LlamaEngine::load(path, {.progress = [&amid_it](float /*done*/) { amid_it.request_stop(); },
                               .stop = amid_it.get_token()});
  ASSERT_FALSE(during);
  EXPECT_EQ(during.error().code, ErrorCode::cancelled);
}

TEST_F(LlamaEngineTest, PassesOnWhatIsWrongWithTheFile) {
  const auto missing = LlamaEngine::load(directory_.path() / "none.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  const auto text = LlamaEngine::load(directory_.write("text.gguf", "hello"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::malformed);
}

TEST_F(LlamaEngineTest, RefusesAModelLargerThanMemory) {
  const auto engine = LlamaEngine::load(make(), {.memory_bytes = 1U << 20U});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::too_large);
  EXPECT_THAT(engine.error().message, AllOf(HasSubstr("m.gguf"), HasSubstr("1.0 MiB")));
  EXPECT_THAT(engine.error().hint, AllOf(HasSubstr("smaller quantization"), HasSubstr("-ngl")));
}

TEST_F(LlamaEngineTest, RefusesThreadsThatMakeNoSense) {
  for (const int threads : {-1, 1'000'000}) {
    const auto engine = LlamaEngine::load("m.gguf", {.threads = threads});
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::invalid_argument);
  }
}

TEST_F(LlamaEngineTest, QuotesLlamasOwnReason) {
  const auto unknown = LlamaEngine::load(with_key(make(), [](gguf_context* gguf) {
    gguf_set_val_str(gguf, "general.architecture", "newest");
  }));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::unsupported);
  EXPECT_THAT(unknown.error().message, HasSubstr("unknown model architecture: 'newest'"));
  const auto incomplete =
      LlamaEngine::load(with_key(directory_.path() / "m.gguf", [](gguf_context* gguf) {
        gguf_remove_key(gguf, "llama.block_count");
      }));
  ASSERT_FALSE(incomplete);
  EXPECT_EQ(incomplete.error().code, ErrorCode::corrupt);
  EXPECT_THAT(incomplete.error().message, HasSubstr(": key not found in model: llama.block_count"));
}

TEST_F(LlamaEngineTest, SurvivesAnAssertionInLlama) {
  const auto engine = LlamaEngine::load(with_key(make(), [](gguf_context* gguf) {
    gguf_set_val_str(gguf, "llama.rope.scaling.type", "nonsense");
  }));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::corrupt);
  EXPECT_THAT(engine.error().message, HasSubstr("GGML_ASSERT"));
}

/// No key shows this: llama.cpp cannot multiply by a norm of half precision, and asserts on a
/// thread that computes.
TEST_F(LlamaEngineTest, AModelThatCannotBeComputedIsAnError) {
  const auto engine = LlamaEngine::load(with_key(make(), [](gguf_context* gguf) {
    gguf_set_tensor_type(gguf, "blk.0.attn_norm.weight", GGML_TYPE_F16);
  }));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::corrupt);
  EXPECT_THAT(engine.error().message,
              AllOf(HasSubstr("llama.cpp cannot compute"), HasSubstr("changed.gguf"),
                    HasSubstr("unsupported types")));
  EXPECT_THAT(engine.error().hint, HasSubstr("another conversion"));
}

TEST_F(LlamaEngineTest, RefusesModelsThatDoNotGenerate) {
  const auto engine = LlamaEngine::load(with_key(make(), [](gguf_context* gguf) {
    gguf_set_val_bool(gguf, "llama.attention.causal", false);
  }));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::unsupported);
  EXPECT_THAT(engine.error().message, HasSubstr("does not generate text"));
}

TEST_F(LlamaEngineTest, Tokenizes) {
  const LlamaEngine engine = loaded(make());
  const auto tokens = engine.tokenize("Hello world");
  ASSERT_TRUE(tokens);
  EXPECT_EQ(*tokens, (std::vector<LlamaEngine::Token>{1, 15043, 3186}));  // <s> ▁Hello ▁world
}

TEST_F(LlamaEngineTest, ASyntheticPromptRepeatsAndHasOnlyText) {
  const LlamaEngine engine = loaded(make());
  const auto prompt = engine.synthetic_prompt(100, 7);
  ASSERT_THAT(prompt, SizeIs(100));
  EXPECT_EQ(prompt.front(), 1) << "<s>";
  EXPECT_EQ(engine.synthetic_prompt(100, 7), prompt);
  EXPECT_NE(engine.synthetic_prompt(100, 8), prompt);
  const llama_vocab* const vocab = llama_model_get_vocab(engine.model());
  for (std::size_t index = 1; index < prompt.size(); ++index) {
    EXPECT_FALSE(llama_vocab_is_control(vocab, prompt[index])) << prompt[index];
  }
  EXPECT_THAT(engine.synthetic_prompt(1, 7), SizeIs(1));
}

TEST_F(LlamaEngineTest, RefusesPromptsThatAreNoText) {
  const LlamaEngine engine = loaded(make());
  const auto empty = engine.tokenize("");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(empty.error().message, HasSubstr("empty"));
  const auto latin = engine.tokenize("caf\xE9!");
  ASSERT_FALSE(latin);
  EXPECT_EQ(latin.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(latin.error().message, HasSubstr("byte 0xe9 at offset 3"));
}

TEST_F(LlamaEngineTest, AppliesTheModelsChatTemplate) {
  SynthOptions options = testing::tiny_shape(directory_.path() / "phi.gguf", "phi3");
  options.vocabulary = testing::vocabulary_path("phi-3");
  const LlamaEngine engine = loaded(testing::make_model(options));
  EXPECT_EQ(engine.apply_chat_template("Hi").value(), "<|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(engine.apply_chat_template(std::string_view("a\0b", 3)).error().code,
            ErrorCode::invalid_argument);
  const std::string lengthy(100'000, 'x');
  EXPECT_THAT(engine.apply_chat_template(lengthy).value(), SizeIs(Gt(lengthy.size())));
}

TEST_F(LlamaEngineTest, SaysWhereThereIsNoChatTemplate) {
  const auto path = make();
  const auto without = loaded(path).apply_chat_template("Hi");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::unsupported);
  EXPECT_THAT(without.error().message, HasSubstr("no chat template"));
  EXPECT_THAT(without.error().hint, HasSubstr("--chat"));
  const auto strange = with_key(path, [](gguf_context* gguf) {
    gguf_set_val_str(gguf, "tokenizer.chat_template", "{{ something new }}");
  });
  const auto unknown = loaded(strange).apply_chat_template("Hi");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::unsupported);
  EXPECT_THAT(unknown.error().message, HasSubstr("does not know the chat template"));
}

}  // namespace
}  // namespace enprof
