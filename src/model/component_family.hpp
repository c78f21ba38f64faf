// Groups the components of a model into families.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace enprof {

inline constexpr std::string_view kOtherFamily = "other";

/// "attention", "MLP", "recurrent", "norms", "residual", "embedding, output"; "other" for
/// components that are not in the table.
[[nodiscard]] constexpr std::string_view component_family(std::string_view component) {
  using Entry = std::pair<std::string_view, std::string_view>;
  constexpr std::array kFamilies{
      Entry{"q_proj", "attention"},
      Entry{"k_proj", "attention"},
      Entry{"v_proj", "attention"},
      Entry{"qkv_proj", "attention"},
      Entry{"q_norm", "attention"},
      Entry{"k_norm", "attention"},
      Entry{"rope", "attention"},
      Entry{"kv_cache_store", "attention"},
      Entry{"attention", "attention"},
      Entry{"qk_matmul", "attention"},
      Entry{"softmax", "attention"},
      Entry{"value_matmul", "attention"},
      Entry{"merge_heads", "attention"},
      Entry{"o_proj", "attention"},
      Entry{"gate_proj", "MLP"},
      Entry{"up_proj", "MLP"},
      Entry{"activation", "MLP"},
      Entry{"down_proj", "MLP"},
      Entry{"router", "MLP"},
      Entry{"experts", "MLP"},
      Entry{"shared_expert", "MLP"},
      Entry{"in_proj", "recurrent"},
      Entry{"conv1d", "recurrent"},
      Entry{"x_proj", "recurrent"},
      Entry{"dt_proj", "recurrent"},
      Entry{"ssm_scan", "recurrent"},
      Entry{"ssm_skip", "recurrent"},
      Entry{"ssm_norm", "recurrent"},  // the name of Mamba-2's weight
      Entry{"out_proj", "recurrent"},
      Entry{"recurrent_state", "recurrent"},
      Entry{"input_layernorm", "norms"},
      Entry{"post_attention_layernorm", "norms"},
      Entry{"pre_feedforward_layernorm", "norms"},
      Entry{"post_feedforward_layernorm", "norms"},
      Entry{"final_norm", "norms"},
      Entry{"residual", "residual"},
      Entry{"embedding", "embedding, output"},
      Entry{"lm_head", "embedding, output"},
  };
  const auto found = std::ranges::find(kFamilies, component, &Entry::first);
  return found == kFamilies.end() ? kOtherFamily : found->second;
}

}  // namespace enprof
