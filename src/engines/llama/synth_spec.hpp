// What model_synth can make: architectures, weight types, and the keys of a shape.
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

/// The properties of an architecture. Its tensors come from llama.cpp itself.
struct ArchSpec {
  std::string_view name;
  /// Used in general.name, instead of the name: llama.cpp treats the tokens of a model whose name
  /// contains "phi3" as Phi-3's, with any vocabulary.
  std::string_view title;
  std::string_view vocabulary;  ///< the name of a ggml-vocab-*.gguf
  ExpertUse experts = ExpertUse::never;
  bool attention = true;
  bool fused_qkv = false;  ///< published models have Q, K and V in one tensor
  bool qkv_bias = false;   ///< published models have these, though llama.cpp does not require them
  bool soft_caps = false;  ///< scores and logits are capped; every second layer has a window
};
[[nodiscard]] std::span<const ArchSpec> arch_specs() noexcept;
[[nodiscard]] const ArchSpec* find_arch(std::string_view name) noexcept;

/// A weight type with its name in --type.
struct WeightType {
  std::string_view name;
  llama_ftype ftype;
  ggml_type main_type;  ///< of most tensors
};
[[nodiscard]] std::span<const WeightType> weight_types() noexcept;
[[nodiscard]] const WeightType* find_weight_type(std::string_view name) noexcept;

/// Sets the keys of the shape in `options`. `layers` and `vocabulary` replace those of the options.
void set_shape_keys(gguf_context* gguf, const ArchSpec& arch, const SynthOptions& options,
                    int layers, std::uint32_t vocabulary);

/// A shape of the same kind, as small as llama.cpp accepts it, for trials.
[[nodiscard]] SynthOptions smallest_like(const SynthOptions& options);

}  // namespace enprof
