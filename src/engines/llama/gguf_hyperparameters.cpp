#include "engines/llama/gguf_hyperparameters.hpp"

#include <fmt/format.h>
#include <ggml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

constexpr const char* kOtherConversion =
    "The file is damaged or was made by a faulty converter: download it again, or use another "
    "conversion of the model.";

/// Whole numbers: the key without its architecture, and the range that the value must be in.
struct Range {
  std::string_view key;
  std::int64_t least;
  std::int64_t most;
};
constexpr std::int64_t kAny = 1'000'000'000;  // llama.cpp multiplies two of them in 64 bits
constexpr std::int64_t kMostLayers = 512;     // LLAMA_MAX_LAYERS in src/llama-hparams.h
constexpr std::int64_t kMostExperts = 1024;   // more than LLAMA_MAX_EXPERTS there, which it checks
constexpr std::array kRanges{
    Range{"block_count", 1, kMostLayers},
    Range{"context_length", 1, kAny},
    Range{"embedding_length", 1, kAny},
    Range{"vocab_size", 1, kAny},
    Range{"feed_forward_length", 0, kAny},
    Range{"attention.head_count", 0, kAny},
    Range{"attention.head_count_kv", 0, kAny},
    Range{"attention.key_length", 1, kAny},
    Range{"attention.value_length", 1, kAny},
    Range{"attention.key_length_swa", 1, kAny},
    Range{"attention.value_length_swa", 1, kAny},
    Range{"attention.key_length_mla", 1, kAny},
    Range{"attention.value_length_mla", 1, kAny},
    Range{"attention.sliding_window", 0, kAny},
    Range{"attention.group_norm_groups", 1, kAny},
    Range{"attention.output_group_count", 1, kAny},
    Range{"attention.indexer.block_size", 1, kAny},
    Range{"rope.dimension_count", 0, kAny},
    Range{"rope.scaling.original_context_length", 1, kAny},
    Range{"expert_count", 0, kMostExperts},
    Range{"expert_used_count", 0, kMostExperts},
    Range{"expert_feed_forward_length", 0, kAny},
    Range{"experts_per_group", 1, kAny},
    // llama.cpp divides by these.
    Range{"full_attention_interval", 1, kAny},
    Range{"interleave_moe_layer_step", 0, kAny},
    Range{"ssm.conv_kernel", 1, kAny},
    Range{"ssm.inner_size", 1, kAny},
    Range{"ssm.state_size", 1, kAny},
    Range{"ssm.time_step_rank", 1, kAny},
    Range{"ssm.group_count", 0, kAny},
    Range{"wkv.head_size", 1, kAny},
    Range{"kda.head_dim", 1, kAny},
    Range{"shortconv.l_cache", 1, kAny},
    Range{"conv_group_size", 1, kAny},
    Range{"attn_res.block_size", 1, kAny},
};

/// Checks a model's values one after the other and returns the first error.
class Hyperparameters {
 public:
  Hyperparameters(const std::filesystem::path& path, const GgufMetadata& metadata)
      : path_(path), metadata_(metadata) {}

  [[nodiscard]] Result<void> check() const {
    for (const auto step : {&Hyperparameters::check_reals, &Hyperparameters::check_ranges,
                            &Hyperparameters::check_heads, &Hyperparameters::check_rope,
                            &Hyperparameters::check_experts, &Hyperparameters::check_states,
                            &Hyperparameters::check_vocabulary}) {
      if (auto sound = (this->*step)(); !sound) {
        return sound;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] std::unexpected<Error> refuse(const std::string& key, const std::string& value,
                                              std::string_view must) const {
    return fail(ErrorCode::corrupt,
                fmt::format("{} cannot be computed: {} is {}, and must be {}", path_.string(), key,
                            value, must),
                kOtherConversion);
  }
  [[nodiscard]] std::string own(std::string_view key) const { return metadata_.own_key(key); }
  [[nodiscard]] std::optional<std::int64_t> most(std::string_view key) const {
    const auto values = metadata_.integers(own(key));
    return values.empty() ? std::nullopt : std::optional(*std::ranges::max_element(values));
  }

  /// Checks all keys of the architecture: no hyper-parameter may be NaN or infinite.
  [[nodiscard]] Result<void> check_reals() const {
    const gguf_context* const gguf = metadata_.gguf();
    const std::string prefix = own("");
    for (std::int64_t id = 0; id < gguf_get_n_kv(gguf); ++id) {
      const std::string key = gguf_get_key(gguf, id);
      if (!key.starts_with(prefix)) {
        continue;
      }
      for (const double value : metadata_.reals(key)) {
        if (!std::isfinite(value)) {
          return refuse(key, fmt::format("{}", value), "a number");
        }
        if (key.ends_with("epsilon") && value < 0.0) {
          return refuse(key, fmt::format("{:g}", value), "0 or more");
        }
        if (key.find("rope.freq_base") != std::string::npos && value <= 0.0) {
          return refuse(key, fmt::format("{:g}", value), "above 0");
        }
        if ((key.ends_with("rope.scaling.factor") || key.ends_with("rope.scale_linear")) &&
            value < 0.0) {
          return refuse(key, fmt::format("{:g}", value), "0 or more");
        }
      }
    }
    return {};
  }

  [[nodiscard]] Result<void> check_ranges() const {
    for (const Range& range : kRanges) {
      const std::string key = own(range.key);
      for (const std::int64_t value : metadata_.integers(key)) {
        if (value < range.least || value > range.most) {
          return refuse(key, fmt::format("{}", value),
                        fmt::format("from {} to {}", range.least, range.most));
        }
      }
    }
    return {};
  }

  /// Whether layers have a state other than the KV cache.
  [[nodiscard]] bool has_states() const {
    return metadata_.has(own("ssm.inner_size")) || metadata_.has(own("ssm.conv_kernel")) ||
           metadata_.has(own("wkv.head_size")) || metadata_.has(own("shortconv.l_cache"));
  }

  [[nodiscard]] Result<void> check_heads() const {
    const auto heads = metadata_.integers(own("attention.head_count"));
    auto kv_heads = metadata_.integers(own("attention.head_count_kv"));
    if (heads.empty()) {
      return {};  // llama.cpp itself reports that it is missing
    }
    if (heads.size() == 1 && heads.front() == 0 && !has_states()) {
      return refuse(own("attention.head_count"), "0", "1 or more");
    }
    if (kv_heads.size() == 1 && kv_heads.front() == 0 && heads.front() > 0 && !has_states()) {
      return refuse(own("attention.head_count_kv"), "0", "1 or more");
    }
    const std::size_t layers = std::max(heads.size(), kv_heads.size());
    for (std::size_t layer = 0; layer < layers && !kv_heads.empty(); ++layer) {
      const std::int64_t count = heads[std::min(layer, heads.size() - 1)];
      const std::int64_t kv_count = kv_heads[std::min(layer, kv_heads.size() - 1)];
      if (kv_count > 0 && count % kv_count != 0) {
        return refuse(
            own("attention.head_count_kv"), fmt::format("{}", kv_count),
            fmt::format("a divisor of {}, which is {}", own("attention.head_count"), count));
      }
    }
    return {};
  }

  [[nodiscard]] Result<void> check_rope() const {
    for (const char* const suffix : {"", "_swa"}) {
      const std::string key = own(std::string("rope.dimension_count") + suffix);
      const auto dimensions = metadata_.integer(key);
      if (!dimensions) {
        continue;
      }
      if (*dimensions % 2 != 0) {
        return refuse(key, fmt::format("{}", *dimensions), "even");
      }
      if (const auto width = head_width(suffix); width && *dimensions > *width) {
        return refuse(key, fmt::format("{}", *dimensions),
                      fmt::format("at most {}, the width of a head", *width));
      }
    }
    return {};
  }

  [[nodiscard]] std::optional<std::int64_t> head_width(const std::string& suffix) const {
    for (const std::string& key :
         {own("attention.key_length" + suffix), own("attention.key_length")}) {
      if (const auto width = metadata_.integer(key)) {
        return width;
      }
    }
    const auto heads = metadata_.integers(own("attention.head_count"));
    const auto width = metadata_.integer(own("embedding_length"));
    if (!width || heads.empty() || heads.front() <= 0) {
      return std::nullopt;
    }
    return *width / heads.front();
  }

  [[nodiscard]] Result<void> check_experts() const {
    const std::int64_t experts = most("expert_count").value_or(0);
    const auto used = metadata_.integers(own("expert_used_count"));
    const std::int64_t most_used = most("expert_used_count").value_or(0);
    const std::string key = own("expert_used_count");
    if (most_used > experts) {
      return refuse(key, fmt::format("{}", most_used),
                    fmt::format("at most {}, which is {}", own("expert_count"), experts));
    }
    const bool divides = most("expert_feed_forward_length").value_or(0) == 0;
    const bool some_use_none = std::ranges::find(used, 0) != used.end();
    if (experts > 0 && (most_used == 0 || (divides && some_use_none))) {
      return refuse(key, "0", fmt::format("1 or more where there are {} experts", experts));
    }
    const std::int64_t per_group = metadata_.integer(own("experts_per_group")).value_or(1);
    if (experts > 0 && per_group > experts) {
      return refuse(own("experts_per_group"), fmt::format("{}", per_group),
                    fmt::format("at most {}, which is {}", own("expert_count"), experts));
    }
    return {};
  }

  [[nodiscard]] Result<void> check_states() const {
    const std::string architecture = metadata_.architecture();
    if (architecture != "llama4" && metadata_.integer(own("interleave_moe_layer_step")) == 0) {
      return refuse(own("interleave_moe_layer_step"), "0", "1 or more");
    }
    const std::int64_t inner = metadata_.integer(own("ssm.inner_size")).value_or(0);
    const std::int64_t groups = metadata_.integer(own("ssm.group_count")).value_or(1);
    if (groups == 0 && architecture != "mamba" && architecture != "jamba") {
      return refuse(own("ssm.group_count"), "0", "1 or more");
    }
    if (inner > 0 && groups > 0 && inner % groups != 0) {
      return refuse(own("ssm.group_count"), fmt::format("{}", groups),
                    fmt::format("a divisor of {}, which is {}", own("ssm.inner_size"), inner));
    }
    const auto head_size = metadata_.integer(own("wkv.head_size"));
    const auto width = metadata_.integer(own("embedding_length"));
    if (head_size && width && *width % *head_size != 0) {
      return refuse(own("wkv.head_size"), fmt::format("{}", *head_size),
                    fmt::format("a divisor of {}, which is {}", own("embedding_length"), *width));
    }
    return {};
  }

  [[nodiscard]] Result<void> check_vocabulary() const {
    const std::string key = "tokenizer.ggml.tokens";
    const std::int64_t id = gguf_find_key(metadata_.gguf(), key.c_str());
    if (id >= 0 && gguf_get_kv_type(metadata_.gguf(), id) == GGUF_TYPE_ARRAY &&
        gguf_get_arr_n(metadata_.gguf(), id) == 0) {
      return refuse(key, "an empty list", "the tokens of the vocabulary");
    }
    return {};
  }

  const std::filesystem::path& path_;
  const GgufMetadata& metadata_;
};

}  // namespace

Result<void> check_hyperparameters(const std::filesystem::path& path,
                                   const GgufMetadata& metadata) {
  return Hyperparameters(path, metadata).check();
}

Result<void> check_weight_types(const std::filesystem::path& path, const gguf_context* gguf) {
  for (std::int64_t id = 0; id < gguf_get_n_tensors(gguf); ++id) {
    const std::int64_t* const shape = gguf_get_tensor_ne(gguf, id);
    const ggml_type type = gguf_get_tensor_type(gguf, id);
    const std::string_view name = gguf_get_tensor_name(gguf, id);
    const bool is_vector = shape[1] == 1 && shape[2] == 1 && shape[3] == 1;
    const bool is_floating =
        type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
    const bool is_added = name.find("norm") != std::string_view::npos || name.ends_with(".bias");
    if (is_vector && !is_floating && is_added) {
      return fail(ErrorCode::corrupt,
                  fmt::format("{} cannot be computed: the weights {} have the type {}, and must be "
                              "floating-point numbers",
                              path.string(), name, ggml_type_name(type)),
                  kOtherConversion);
    }
  }
  return {};
}

}  // namespace enprof
