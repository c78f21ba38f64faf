#include "engines/llama/synth_spec.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace enprof {
namespace {

constexpr std::array kArchSpecs{
    ArchSpec{.name = "llama",
             .title = "Llama",
             .vocabulary = "llama-spm",
             .experts = ExpertUse::optional},
    ArchSpec{.name = "qwen2", .title = "Qwen2", .vocabulary = "qwen2", .qkv_bias = true},
    ArchSpec{.name = "qwen3", .title = "Qwen3", .vocabulary = "qwen2"},
    ArchSpec{.name = "phi3", .title = "Phi 3", .vocabulary = "phi-3", .fused_qkv = true},
    ArchSpec{.name = "phi2", .title = "Phi 2", .vocabulary = "gpt-2"},
    ArchSpec{.name = "gemma", .title = "Gemma", .vocabulary = "gemma-4"},
    ArchSpec{.name = "gemma2", .title = "Gemma 2", .vocabulary = "gemma-4", .soft_caps = true},
    ArchSpec{.name = "qwen2moe",
             .title = "Qwen2 MoE",
             .vocabulary = "qwen2",
             .experts = ExpertUse::always,
             .qkv_bias = true},
    ArchSpec{.name = "qwen3moe",
             .title = "Qwen3 MoE",
             .vocabulary = "qwen2",
             .experts = ExpertUse::always},
    ArchSpec{.name = "falcon", .title = "Falcon", .vocabulary = "falcon"},
    ArchSpec{.name = "gpt2", .title = "GPT-2", .vocabulary = "gpt-2"},
    ArchSpec{.name = "mamba", .title = "Mamba", .vocabulary = "gpt-2", .attention = false},
};

constexpr std::array kWeightTypes{
    WeightType{"f32", LLAMA_FTYPE_ALL_F32, GGML_TYPE_F32},
    WeightType{"f16", LLAMA_FTYPE_MOSTLY_F16, GGML_TYPE_F16},
    WeightType{"bf16", LLAMA_FTYPE_MOSTLY_BF16, GGML_TYPE_BF16},
    WeightType{"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0, GGML_TYPE_Q8_0},
    WeightType{"q6_k", LLAMA_FTYPE_MOSTLY_Q6_K, GGML_TYPE_Q6_K},
    WeightType{"q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M, GGML_TYPE_Q5_K},
    WeightType{"q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S, GGML_TYPE_Q5_K},
    WeightType{"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1, GGML_TYPE_Q5_1},
    WeightType{"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0, GGML_TYPE_Q5_0},
    WeightType{"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M, GGML_TYPE_Q4_K},
    WeightType{"q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S, GGML_TYPE_Q4_K},
    WeightType{"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1, GGML_TYPE_Q4_1},
    WeightType{"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0, GGML_TYPE_Q4_0},
    WeightType{"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL, GGML_TYPE_IQ4_NL},
    WeightType{"iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS, GGML_TYPE_IQ4_XS},
    WeightType{"q3_k_l", LLAMA_FTYPE_MOSTLY_Q3_K_L, GGML_TYPE_Q3_K},
    WeightType{"q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M, GGML_TYPE_Q3_K},
    WeightType{"q3_k_s", LLAMA_FTYPE_MOSTLY_Q3_K_S, GGML_TYPE_Q3_K},
    WeightType{"q2_k", LLAMA_FTYPE_MOSTLY_Q2_K, GGML_TYPE_Q2_K},
};

}  // namespace

std::span<const ArchSpec> arch_specs() noexcept { return kArchSpecs; }
std::span<const WeightType> weight_types() noexcept { return kWeightTypes; }

const ArchSpec* find_arch(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kArchSpecs, name, &ArchSpec::name);
  return found == kArchSpecs.end() ? nullptr : found;
}

const WeightType* find_weight_type(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kWeightTypes, name, &WeightType::name);
  return found == kWeightTypes.end() ? nullptr : found;
}

void set_shape_keys(gguf_context* gguf, const ArchSpec& arch, const SynthOptions& options,
                    int layers, std::uint32_t vocabulary) {
  const std::string prefix = std::string(arch.name) + '.';
  const auto set = [&](const char* key, int value) {
    gguf_set_val_u32(gguf, (prefix + key).c_str(), static_cast<std::uint32_t>(value));
  };
  const auto set_real = [&](const char* key, float value) {
    gguf_set_val_f32(gguf, (prefix + key).c_str(), value);
  };
  gguf_set_val_str(gguf, "general.architecture", std::string(arch.name).c_str());
  gguf_set_val_u32(gguf, (prefix + "vocab_size").c_str(), vocabulary);
  set("context_length", options.context);
  set("embedding_length", options.embd);
  set("block_count", layers);
  set_real("attention.layer_norm_rms_epsilon", 1e-5F);
  set_real("attention.layer_norm_epsilon", 1e-5F);
  if (!arch.attention) {  // the proportions of published mamba models
    constexpr int kStateSize = 16;
    constexpr int kConvolution = 4;
    set("feed_forward_length", 0);
    set("attention.head_count", 0);
    set("ssm.conv_kernel", kConvolution);
    set("ssm.inner_size", 2 * options.embd);
    set("ssm.state_size", kStateSize);
    set("ssm.time_step_rank", (options.embd + 15) / 16);
    return;
  }
  set("feed_forward_length", options.ff);
  set("attention.head_count", options.heads);
  set("attention.head_count_kv", options.kv_heads);
  set("rope.dimension_count", options.embd / options.heads);
  if (arch.soft_caps) {  // as in published Gemma 2 models
    constexpr float kAttentionCap = 50.0F;
    constexpr float kOutputCap = 30.0F;
    constexpr int kSlidingWindow = 4096;
    set_real("attn_logit_softcapping", kAttentionCap);
    set_real("final_logit_softcapping", kOutputCap);
    set("attention.sliding_window", kSlidingWindow);
    set("attention.key_length", options.embd / options.heads);
    set("attention.value_length", options.embd / options.heads);
  }
  if (options.experts > 0) {
    set("expert_count", options.experts);
    set("expert_used_count", options.experts_used);
    set("expert_feed_forward_length", options.ff);
    // In published models the shared expert is as wide as all experts that a token uses.
    set("expert_shared_feed_forward_length", options.ff * options.experts_used);
  }
}

SynthOptions smallest_like(const SynthOptions& options) {
  SynthOptions small = options;
  small.embd = 64;
  small.ff = 64;
  small.heads = 2;
  small.kv_heads = 2;
  small.context = 32;
  if (options.experts > 0) {
    small.experts = 4;
    small.experts_used = 2;
  }
  return small;
}

}  // namespace enprof
