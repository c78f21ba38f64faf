#include "engines/llama/model_synth.hpp"

#include "engines/llama/gguf_check.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

class ModelSynth : public ::testing::Test {
 protected:
  [[nodiscard]] SynthOptions shape() const { return testing::tiny_shape(path_); }
  [[nodiscard]] bool nothing_left() const { return fs::is_empty(directory_.path()); }

  const testing::TempDir directory_;
  const fs::path path_ = directory_.path() / "model.gguf";
};

TEST_F(ModelSynth, WritesWhatItReports) {
  float last = -1.0F;
  SynthOptions options = shape();
  options.progress = [&last](float done) {
    EXPECT_GE(done, last);
    last = done;
  };
  const auto report = synthesize_model(options);
  ASSERT_TRUE(report) << report.error().message;
  const auto checked = check_model(path_);
  ASSERT_TRUE(checked) << checked.error().message;
  const gguf_context* gguf = checked->metadata.gguf();
  EXPECT_EQ(report->path, path_);
  EXPECT_EQ(report->bytes, fs::file_size(path_));
  EXPECT_EQ(report->tensors, static_cast<std::size_t>(gguf_get_n_tensors(gguf)));
  // 2 × 32 000 × 64 for the vocabulary, 64 for the last norm, and in each of 2 layers: Q and O
  // 64 × 64, K and V 64 × 32, three of 64 × 128, two norms of 64.
  EXPECT_EQ(report->parameters,
            2 * 32000 * 64 + 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64U));
  EXPECT_EQ(report->name, "Synthetic Llama 4M");
  EXPECT_FLOAT_EQ(last, 1.0F);
  EXPECT_EQ(checked->metadata.boolean("enprof.synthetic"), true);
  EXPECT_EQ(checked->metadata.integer("enprof.seed"), 1);
  EXPECT_EQ(checked->metadata.text("general.name"), report->name);
  EXPECT_EQ(checked->metadata.integer("llama.block_count"), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(ModelSynth, SameSeedSameBytes) {
  testing::make_model(shape());
  SynthOptions again = shape();
  again.output = directory_.path() / "again.gguf";
  testing::make_model(again);
  EXPECT_TRUE(testing::read_file(path_) == testing::read_file(again.output));
  again.seed = 2;
  again.overwrite = true;
  testing::make_model(again);
  EXPECT_FALSE(testing::read_file(path_) == testing::read_file(again.output));
}

TEST_F(ModelSynth, RefusesWhatMakesNoSense) {
  using Change = std::function<void(SynthOptions&)>;
  const std::vector<std::pair<Change, const char*>> changes{
      {[](SynthOptions& o) { o.architecture = "bert"; }, "architecture bert"},
      {[](SynthOptions& o) { o.type = "q9"; }, "type q9"},
      {[](SynthOptions& o) { o.layers = 0; }, "--layers 0"},
      {[](SynthOptions& o) { o.layers = -3; }, "--layers -3"},
      {[](SynthOptions& o) { o.layers = 100'000; }, "--layers 100000"},
      {[](SynthOptions& o) { o.embd = 1 << 30; }, "--embd 1073741824"},
      {[](SynthOptions& o) { o.ff = 0; }, "--ff 0"},
      {[](SynthOptions& o) { o.heads = 0; }, "--heads 0"},
      {[](SynthOptions& o) { o.kv_heads = -1; }, "--kv-heads -1"},
      {[](SynthOptions& o) { o.context = 0; }, "--ctx 0"},
      {[](SynthOptions& o) { o.heads = 5; }, "--embd 64 is not a multiple of --heads 5"},
      {[](SynthOptions& o) { o.kv_heads = 3; }, "--heads 4 is not a multiple of --kv-heads 3"},
      {[](SynthOptions& o) { o.heads = o.kv_heads = 64; }, "heads of width 1"},
      {[](SynthOptions& o) { o.embd = 80; }, "block size of q8_0, 32"},
      {[](SynthOptions& o) { o.type = "q4_k_m"; }, "block size of q4_k_m, 256"},
      {[](SynthOptions& o) {
         o.architecture = "qwen2";
         o.experts = 4;
       },
       "qwen2 has no experts"},
      {[](SynthOptions& o) {
         o.experts = 4;
         o.experts_used = 5;
       },
       "--experts-used 5"},
      {[](SynthOptions& o) { o.experts = 1000; }, "--experts 1000"},
      {[](SynthOptions& o) { o.output.clear(); }, "no file"},
  };
  for (const auto& [change, words] : changes) {
    SynthOptions options = shape();
    change(options);
    const auto report = synthesize_model(options);
    ASSERT_FALSE(report) << words;
    EXPECT_EQ(report.error().code, ErrorCode::invalid_argument) << words;
    EXPECT_THAT(report.error().message, HasSubstr(words));
    EXPECT_NE(report.error().hint, "") << words;
  }
  EXPECT_TRUE(nothing_left());
}

TEST_F(ModelSynth, NeedsAVocabulary) {
  SynthOptions options = shape();
  options.vocabulary = directory_.path() / "none.gguf";
  const auto missing = synthesize_model(options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  const testing::TempDir elsewhere;
  options.vocabulary = elsewhere.write("text.gguf", "not a vocabulary");
  const auto malformed = synthesize_model(options);
  ASSERT_FALSE(malformed);
  EXPECT_EQ(malformed.error().code, ErrorCode::malformed);
  EXPECT_TRUE(nothing_left());
}

TEST_F(ModelSynth, TakesTheVocabularyOfAWholeModel) {
  const testing::TempDir elsewhere;
  SynthOptions options = shape();
  options.output = elsewhere.path() / "first.gguf";
  testing::make_model(options);
  options.vocabulary = options.output;
  options.output = path_;
  testing::make_model(options);
  EXPECT_TRUE(testing::read_file(path_) == testing::read_file(options.vocabulary));
}

TEST_F(ModelSynth, RefusesANameThatLlamaTakesForAnotherModels) {
  SynthOptions options = shape();
  options.name = "My Phi-3";  // llama's vocabulary lacks Phi-3's tokens
  const auto report = synthesize_model(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(report.error().message, HasSubstr("My Phi-3"));
  EXPECT_TRUE(nothing_left());
  options.name = "My own";
  testing::make_model(options);
  EXPECT_EQ(check_model(path_)->metadata.text("general.name"), "My own");
}

TEST_F(ModelSynth, LeavesNothingWhenCancelled) {
  std::stop_source source;
  SynthOptions options = shape();
  options.stop = source.get_token();
  options.progress = [&source](float /*done*/) { source.request_stop(); };
  const auto report = synthesize_model(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(nothing_left());
}

TEST_F(ModelSynth, LeavesNothingOnAFullDisk) {
  SynthOptions options = shape();
  options.free_bytes = 1024;
  const auto report = synthesize_model(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::too_large);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("needs 4.9 MiB"), HasSubstr("1.0 KiB are free")));
  EXPECT_TRUE(nothing_left());
}

TEST_F(ModelSynth, ReplacesAFileOnlyWhenTold) {
  directory_.write("model.gguf", "precious");
  const auto refused = synthesize_model(shape());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().hint, HasSubstr("--force"));
  EXPECT_EQ(testing::read_file(path_), "precious");
  SynthOptions options = shape();
  options.overwrite = true;
  testing::make_model(options);
  EXPECT_TRUE(check_model(path_));
}

TEST_F(ModelSynth, WhatIsNoFileIsNotReplaced) {
  SynthOptions options = shape();
  options.overwrite = true;
  fs::create_symlink(directory_.path() / "nowhere", path_);
  const auto made = synthesize_model(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(fs::is_symlink(path_));
}

TEST(ModelSynthChoices, AreNamed) {
  EXPECT_THAT(synth_architectures(),
              IsSupersetOf({"llama", "qwen2", "qwen3", "phi3", "gemma", "qwen2moe"}));
  EXPECT_THAT(synth_types(),
              IsSupersetOf({"f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m", "q6_k"}));
  EXPECT_EQ(default_vocabulary("llama"), "ggml-vocab-llama-spm.gguf");
  for (const std::string& architecture : synth_architectures()) {
    EXPECT_TRUE(fs::exists(fs::path(ENPROF_TEST_VOCAB_DIR) / default_vocabulary(architecture)))
        << architecture;
  }
}

}  // namespace
}  // namespace enprof
