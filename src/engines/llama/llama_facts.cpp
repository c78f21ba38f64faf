#include "engines/llama/llama_facts.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

/// Empty for zero and for impossible numbers.
std::optional<int> positive(std::int64_t value) {
  if (value < 1 || value > std::numeric_limits<int>::max()) {
    return std::nullopt;
  }
  return static_cast<int>(value);
}

std::optional<int> highest(const GgufMetadata& metadata, std::string_view key) {
  const std::vector<std::int64_t> values = metadata.integers(metadata.own_key(key));
  return values.empty() ? std::nullopt : positive(*std::ranges::max_element(values));
}

std::optional<int> head_width(const GgufMetadata& metadata, const llama_model& model,
                              std::string_view key) {
  if (const auto width = metadata.integer(metadata.own_key(key))) {
    return positive(*width);
  }
  const std::int32_t heads = llama_model_n_head(&model);  // of the first layer, as in llama.cpp
  return heads > 0 ? positive(llama_model_n_embd(&model) / heads) : std::nullopt;
}

/// How many tokens the tokenizer has.
std::optional<int> vocabulary_of(const GgufMetadata& metadata) {
  const std::int64_t key = gguf_find_key(metadata.gguf(), "tokenizer.ggml.tokens");
  if (key < 0 || gguf_get_kv_type(metadata.gguf(), key) != GGUF_TYPE_ARRAY) {
    return std::nullopt;
  }
  return positive(static_cast<std::int64_t>(gguf_get_arr_n(metadata.gguf(), key)));
}

/// Keys of models whose cache has another layout.
constexpr std::array kOtherCaches{
    std::string_view{"attention.kv_lora_rank"},
    std::string_view{"attention.indexer.head_count"},
    std::string_view{"attention.shared_kv_layers"},
    std::string_view{"attention.key_length_swa"},
    std::string_view{"attention.value_length_swa"},
    std::string_view{"attention.key_length_mla"},
    std::string_view{"attention.compress_ratios"},
    std::string_view{"nextn_predict_layers"},
};

}  // namespace

ModelFacts file_facts(const CheckedModel& file) {
  const GgufMetadata& metadata = file.metadata;
  ModelFacts facts;
  facts.name = metadata.text("general.name").value_or("");
  if (facts.name.empty()) {
    facts.name = file.parts.front().stem().string();
  }
  facts.path = file.parts.front().string();
  facts.architecture = metadata.architecture();
  facts.engine = fmt::format("llama.cpp v{}", llama_version());
  if (const auto type = metadata.integer("general.file_type")) {
    facts.quantization = llama_ftype_name(static_cast<llama_ftype>(*type));
  }
  facts.parameters = file.parameters;
  facts.file_bytes = file.file_bytes;
  facts.weight_bytes = file.weight_bytes;
  facts.layers = highest(metadata, "block_count");
  facts.embedding_width = highest(metadata, "embedding_length");
  facts.feed_forward_width = highest(metadata, "feed_forward_length");
  if (!facts.feed_forward_width) {
    facts.feed_forward_width = highest(metadata, "expert_feed_forward_length");
  }
  facts.heads = highest(metadata, "attention.head_count");
  facts.kv_heads = highest(metadata, "attention.head_count_kv");
  if (!facts.kv_heads) {
    facts.kv_heads = facts.heads;
  }
  facts.head_width = highest(metadata, "attention.key_length");
  if (!facts.head_width && facts.heads && facts.embedding_width) {
    facts.head_width = positive(*facts.embedding_width / *facts.heads);
  }
  facts.experts = highest(metadata, "expert_count");
  facts.experts_used = highest(metadata, "expert_used_count");
  facts.vocabulary = vocabulary_of(metadata);
  facts.context_trained = highest(metadata, "context_length");
  return facts;
}

ModelFacts read_model_facts(const CheckedModel& file, const llama_model& model) {
  // What llama.cpp made of the file comes before what the file says.
  ModelFacts facts = file_facts(file);
  facts.quantization = llama_ftype_name(llama_model_ftype(&model));
  facts.parameters = llama_model_n_params(&model);
  facts.layers = positive(llama_model_n_layer(&model));
  facts.embedding_width = positive(llama_model_n_embd(&model));
  facts.head_width =
      facts.heads ? head_width(file.metadata, model, "attention.key_length") : std::nullopt;
  facts.vocabulary = positive(llama_vocab_n_tokens(llama_model_get_vocab(&model)));
  facts.context_trained = positive(llama_model_n_ctx_train(&model));
  return facts;
}

std::optional<std::uint64_t> kv_cache_bytes(const GgufMetadata& metadata, const llama_model& model,
                                            std::uint64_t positions, ggml_type keys,
                                            ggml_type values) {
  if (llama_model_is_recurrent(&model) || llama_model_is_hybrid(&model)) {
    return std::nullopt;
  }
  if (metadata.architecture() == "gemma3n") {  // layers share caches, without a key
    return std::nullopt;
  }
  for (const std::string_view key : kOtherCaches) {
    if (highest(metadata, key)) {
      return std::nullopt;
    }
  }
  const auto key_width = head_width(metadata, model, "attention.key_length");
  const auto value_width = head_width(metadata, model, "attention.value_length");
  std::vector<std::int64_t> heads = metadata.integers(metadata.own_key("attention.head_count_kv"));
  if (heads.empty()) {
    heads = metadata.integers(metadata.own_key("attention.head_count"));
  }
  const auto layers = static_cast<std::size_t>(std::max(llama_model_n_layer(&model), 0));
  if (heads.size() == 1) {
    heads.resize(layers, heads.front());
  }
  if (!key_width || !value_width || heads.size() != layers) {
    return std::nullopt;
  }
  std::uint64_t bytes = 0;
  for (const std::int64_t count : heads) {
    const std::int64_t heads_of_layer = std::max<std::int64_t>(count, 0);
    // A quantized row is made of whole blocks, as llama.cpp pads it.
    bytes += positions * (ggml_row_size(keys, heads_of_layer * *key_width) +
                          ggml_row_size(values, heads_of_layer * *value_width));
  }
  return bytes;
}

}  // namespace enprof
