#include "engines/llama/llama_facts.hpp"

#include "engines/llama/llama_log.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace enprof {
namespace {

class LlamaFacts : public ::testing::Test {
 protected:
  void load(SynthOptions options) {
    options.output = directory_.path() / "tiny.gguf";
    testing::make_model(options);
    auto checked = check_model(options.output);
    ASSERT_TRUE(checked);
    file_.emplace(std::move(*checked));
    model_.reset(llama_model_load_from_file(options.output.c_str(), llama_model_default_params()));
    ASSERT_NE(model_, nullptr);
  }
  [[nodiscard]] ModelFacts facts() const { return read_model_facts(*file_, *model_); }
  [[nodiscard]] std::optional<std::uint64_t> kv_bytes(std::uint64_t positions) const {
    return kv_cache_bytes(file_->metadata, *model_, positions);
  }

  const testing::TempDir directory_;
  std::optional<CheckedModel> file_;
  LlamaModelPtr model_;
};

TEST_F(LlamaFacts, TheFileSaysThemWithoutTheModelBeingLoaded) {
  SynthOptions options = testing::tiny_shape("");
  for (const char* const architecture : {"llama", "qwen3moe"}) {
    options.architecture = architecture;
    options.overwrite = true;
    load(options);
    EXPECT_EQ(file_facts(*file_), facts()) << architecture;
  }
}

TEST_F(LlamaFacts, AreThoseOfTheShape) {
  SynthOptions options = testing::tiny_shape("");
  options.name = "Tiny";
  load(options);
  const ModelFacts facts = this->facts();
  EXPECT_EQ(facts.name, "Tiny");
  EXPECT_EQ(facts.path, (directory_.path() / "tiny.gguf").string());
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.quantization, "Q8_0");
  EXPECT_EQ(facts.engine, std::string("llama.cpp v") + llama_version());
  EXPECT_EQ(facts.parameters, 4'170'048U);
  EXPECT_EQ(facts.file_bytes, std::filesystem::file_size(directory_.path() / "tiny.gguf"));
  // Q8_0 holds 32 weights in 34 bytes; the five norms are F32.
  EXPECT_EQ(facts.weight_bytes, (4'170'048U - 5 * 64) / 32 * 34 + 5 * 64 * 4);
  EXPECT_EQ(facts.layers, 2);
  EXPECT_EQ(facts.embedding_width, 64);
  EXPECT_EQ(facts.feed_forward_width, 128);
  EXPECT_EQ(facts.heads, 4);
  EXPECT_EQ(facts.kv_heads, 2);
  EXPECT_EQ(facts.head_width, 16);
  EXPECT_EQ(facts.attention(), "GQA");
  EXPECT_EQ(facts.experts, std::nullopt);
  EXPECT_EQ(facts.experts_used, std::nullopt);
  EXPECT_EQ(facts.vocabulary, 32000);
  EXPECT_EQ(facts.context_trained, 128);
  EXPECT_EQ(facts.context, std::nullopt);
}

TEST_F(LlamaFacts, CountExperts) {
  SynthOptions options = testing::tiny_shape("", "qwen2moe");
  options.experts = 4;
  options.experts_used = 3;
  load(options);
  EXPECT_EQ(facts().experts, 4);
  EXPECT_EQ(facts().experts_used, 3);
}

TEST_F(LlamaFacts, KvCacheByHand) {
  load(testing::tiny_shape(""));
  // 2 layers × 100 positions × 2 KV heads × (16 + 16) × 2 bytes
  EXPECT_EQ(kv_bytes(100), 2 * 100 * 2 * 32 * 2U);
  EXPECT_EQ(kv_bytes(0), 0U);
}

/// The size that llama.cpp logs: "size = 1.00 MiB (8192 cells, …".
TEST_F(LlamaFacts, KvCacheIsWhatLlamaReserves) {
  load(testing::tiny_shape(""));
  const LlamaLogCapture log(GGML_LOG_LEVEL_INFO);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 8192;
  const LlamaContextPtr context(llama_init_from_model(model_.get(), params));
  ASSERT_NE(context, nullptr);
  const std::uint64_t bytes = kv_bytes(llama_n_ctx(context.get())).value_or(0);
  EXPECT_EQ(bytes, 2ULL << 20U);
  const bool said = std::ranges::any_of(log.lines(), [](const std::string& line) {
    return line.find("size =    2.00 MiB (  8192 cells") != std::string::npos;
  });
  EXPECT_TRUE(said);
}

TEST_F(LlamaFacts, ARecurrentModelHasNoKvCache) {
  load(testing::tiny_shape("", "mamba"));
  EXPECT_EQ(kv_bytes(100), std::nullopt);
  EXPECT_EQ(facts().heads, std::nullopt);
  EXPECT_EQ(facts().kv_heads, std::nullopt);
  EXPECT_EQ(facts().feed_forward_width, std::nullopt);
  EXPECT_EQ(facts().attention(), "");
}

TEST_F(LlamaFacts, PerLayerArraysGiveTheirMaximum) {
  load(testing::tiny_shape(""));
  auto* gguf = const_cast<gguf_context*>(file_->metadata.gguf());
  const std::array<std::int32_t, 2> heads{1, 2};
  gguf_set_arr_data(gguf, "llama.attention.head_count_kv", GGUF_TYPE_INT32, heads.data(), 2);
  const std::array<std::int32_t, 2> widths{128, 96};
  gguf_set_arr_data(gguf, "llama.feed_forward_length", GGUF_TYPE_INT32, widths.data(), 2);
  EXPECT_EQ(facts().kv_heads, 2);
  EXPECT_EQ(facts().feed_forward_width, 128);
  EXPECT_EQ(kv_bytes(100), 100 * (1 + 2) * 32 * 2U);
}

TEST_F(LlamaFacts, OtherCachesAreNotGuessed) {
  load(testing::tiny_shape(""));
  auto* gguf = const_cast<gguf_context*>(file_->metadata.gguf());
  gguf_set_val_u32(gguf, "llama.attention.kv_lora_rank", 0);
  EXPECT_NE(kv_bytes(100), std::nullopt);
  gguf_set_val_u32(gguf, "llama.attention.kv_lora_rank", 16);
  EXPECT_EQ(kv_bytes(100), std::nullopt);
}

}  // namespace
}  // namespace enprof
