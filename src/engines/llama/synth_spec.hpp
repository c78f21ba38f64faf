// What model_synth can make: architectures, weight types, and the keys that a shape becomes.
#pragma once

#include "engines/llama/llama_handles.hpp"
#include "engines/llama/model_synth.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// How an architecture uses experts.
enum class ExpertUse : std::uint8_t { never, optional, always };

/// What is peculiar to an architecture. Which tensors it has comes from llama.cpp itself.
struct ArchSpec {
  std::string_view name;
  /// In general.name. Not the name itself: llama.cpp treats the tokens of a model whose name has
  /// "phi3" in it as Phi-3's, whatever its vocabulary.
  std::string_view title;
  std::string_view vocabulary;  ///< of ggml-vocab-*.gguf
  ExpertUse experts = ExpertUse::never;
  bool attention = true;
  bool fused_qkv = false;  ///< published models hold Q, K and V in one tensor
  bool qkv_bias = false;   ///< published models have these, though llama.cpp can do without
  bool soft_caps = false;  ///< scores and logits are capped; every other layer has a window
};
[[nodiscard]] std::span<const ArchSpec> arch_specs() noexcept;
[[nodiscard]] const ArchSpec* find_arch(std::string_view name) noexcept;

/// A weight type as --type names it.
struct WeightType {
  std::string_view name;
  llama_ftype ftype;
  ggml_type main_type;  ///< of most tensors
};
[[nodiscard]] std::span<const WeightType> weight_types() noexcept;
[[nodiscard]] const WeightType* find_weight_type(std::string_view name) noexcept;

/// Sets the keys of the shape that `options` describes. `layers` and `vocabulary` may be stand-ins.
void set_shape_keys(gguf_context* gguf, const ArchSpec& arch, const SynthOptions& options,
                    int layers, std::uint32_t vocabulary);

/// A shape of the same kind as small as llama.cpp takes it, for trying out.
[[nodiscard]] SynthOptions smallest_like(const SynthOptions& options);

}  // namespace enprof
