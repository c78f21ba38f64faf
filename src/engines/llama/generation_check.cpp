#include "engines/llama/generation_check.hpp"

#include "base/choices.hpp"
#include "engines/llama/gguf_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr int kMostTokens = 1 << 30;
constexpr int kMostSequences = 256;  // llama.cpp's LLAMA_MAX_SEQ

// Those that llama.cpp's tools offer for caches (common/arg.cpp, kv_cache_types).
constexpr std::array kCacheTypes{GGML_TYPE_F32,  GGML_TYPE_F16,    GGML_TYPE_BF16,
                                 GGML_TYPE_Q8_0, GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,
                                 GGML_TYPE_Q5_0, GGML_TYPE_IQ4_NL, GGML_TYPE_Q5_1};

std::unexpected<Error> refuse(std::string message, std::string hint) {
  return fail(ErrorCode::invalid_argument, std::move(message), std::move(hint));
}

Result<void> check_tokens(const GenerateOptions& options) {
  if (options.max_tokens < 1 || options.max_tokens > kMostTokens) {
    return refuse(fmt::format("Cannot generate {} tokens", options.max_tokens),
                  "Pass -n 1 or more.");
  }
  if (options.context < 0 || options.context > kMostTokens) {
    return refuse(fmt::format("A context of {} positions is not possible", options.context),
                  "Pass --ctx 1 or more, or leave it out.");
  }
  if (options.synthetic_prompt < 0 || options.synthetic_prompt > kMostTokens) {
    return refuse(fmt::format("A prompt of {} tokens is not possible", options.synthetic_prompt),
                  "Pass 1 token or more.");
  }
  if (options.filled_context < 0 || options.filled_context > kMostTokens) {
    return refuse(fmt::format("Cannot fill the context with {} tokens", options.filled_context),
                  "Pass 0 or more.");
  }
  if (options.sequences < 1 || options.sequences > kMostSequences) {
    return refuse(fmt::format("Cannot generate {} sequences at a time", options.sequences),
                  fmt::format("Pass 1 to {}.", kMostSequences));
  }
  if (options.batch < 0 || options.micro_batch < 0) {
    return refuse(fmt::format("A batch of {} tokens is not possible",
                              std::min(options.batch, options.micro_batch)),
                  "Pass 1 token or more.");
  }
  if (options.threads < 0 || options.threads > GGML_MAX_N_THREADS) {
    return refuse(fmt::format("Cannot use {} threads", options.threads),
                  fmt::format("Pass --threads 1 to {}.", GGML_MAX_N_THREADS));
  }
  return {};
}

Result<void> check_sampling(const GenerateOptions& options) {
  if (!std::isfinite(options.temperature) || options.temperature < 0.0F) {
    return refuse(fmt::format("A temperature of {} makes no sense", options.temperature),
                  "Pass --temp 0 for greedy, or a positive number such as 0.8.");
  }
  if (options.top_k < 0) {
    return refuse(fmt::format("Cannot sample from the {} likeliest tokens", options.top_k),
                  "Pass --top-k 1 or more, or 0 for all.");
  }
  if (options.values_every < 0) {
    return refuse(fmt::format("Cannot look at the values of one token in {}", options.values_every),
                  "Pass --values-every 1 or more, or 0 for none.");
  }
  if (!(options.sparsity_threshold >= 0.0F) || !std::isfinite(options.sparsity_threshold)) {
    return refuse(
        fmt::format("A sparsity threshold of {} makes no sense", options.sparsity_threshold),
        "Pass --sparsity-threshold 0 or more, such as 0.01.");
  }
  if (!(options.top_p > 0.0F && options.top_p <= 1.0F)) {
    return refuse(fmt::format("A top-p of {} is not a probability", options.top_p),
                  "Pass --top-p above 0, at most 1.");
  }
  if (options.sequences > 1 && !options.ignore_eos) {
    return refuse("Several sequences at a time are for benchmarks: they end together",
                  "Pass one sequence.");
  }
  return {};
}

Result<ggml_type> cache_type(const std::string& name, ggml_type usual) {
  if (name.empty()) {
    return usual;
  }
  std::vector<std::string_view> known;
  for (const ggml_type type : kCacheTypes) {
    if (name == ggml_type_name(type)) {
      return type;
    }
    known.emplace_back(ggml_type_name(type));
  }
  return refuse(fmt::format("A KV cache cannot have the type {}", name), say_choices(name, known));
}

}  // namespace

Result<void> check_generation(const GenerateOptions& options) {
  auto checked = check_tokens(options);
  return checked ? check_sampling(options) : checked;
}

Result<std::uint32_t> positions_for(const GenerateOptions& options, std::size_t prompt_tokens,
                                    const ContextBounds& bounds) {
  const auto trained = static_cast<std::uint64_t>(bounds.trained);
  const auto filled = static_cast<std::uint64_t>(options.filled_context);
  const std::uint64_t before = filled + prompt_tokens;
  const std::uint64_t wanted = before + static_cast<std::uint64_t>(options.max_tokens);
  const std::uint64_t context =
      options.context > 0 ? static_cast<std::uint64_t>(options.context) : std::min(wanted, trained);
  // Beyond them there is nothing to look up: llama.cpp would end the program.
  const auto learned =
      static_cast<std::uint64_t>(bounds.learned.value_or(std::numeric_limits<int>::max()));
  if (context > learned) {
    return refuse(
        fmt::format("A context of {} positions is not possible: {} has learned {} of them "
                    "({}), and has none beyond",
                    context, bounds.name, learned, kPositionTable),
        fmt::format("Pass --ctx {} or less, or leave it out.", learned));
  }
  if (before <= context) {
    return static_cast<std::uint32_t>(context);
  }
  const std::string message =
      filled == 0
          ? fmt::format("The prompt has {} tokens, the context holds {}", before, context)
          : fmt::format("The prompt and what is before it have {} tokens, the context holds {}",
                        before, context);
  if (before >= learned) {
    return fail(ErrorCode::too_large, message,
                fmt::format("Shorten the prompt: {} has learned {} positions, and has none beyond.",
                            bounds.name, learned));
  }
  return fail(
      ErrorCode::too_large, message,
      std::min(wanted, learned) <= trained
          ? fmt::format("Pass --ctx {} or more, or shorten the prompt.", wanted)
          : fmt::format("Shorten the prompt. The model was trained with {} positions; enprof run "
                        "--ctx {} goes beyond them.",
                        trained, std::min(wanted, learned)));
}

Result<CacheTypes> cache_types(const GenerateOptions& options) {
  CacheTypes types;
  const auto keys = cache_type(options.cache_type_k, types.keys);
  if (!keys) {
    return std::unexpected(keys.error());
  }
  const auto values = cache_type(options.cache_type_v, types.values);
  if (!values) {
    return std::unexpected(values.error());
  }
  if (ggml_is_quantized(*values) && options.flash_attention == false) {
    return refuse(
        fmt::format("Values of type {} in the KV cache need flash attention, which is off",
                    options.cache_type_v),
        "Leave flash attention on, or choose f16, bf16 or f32 for the values.");
  }
  return CacheTypes{.keys = *keys, .values = *values};
}

}  // namespace enprof
