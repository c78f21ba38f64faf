// What a generation needs before its first pass: tokens, a context, a sampler, hooks.
#include "engines/llama/generation_check.hpp"
#include "engines/llama/llama_facts.hpp"
#include "engines/llama/llama_generation.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"
#include "model/context_fill.hpp"
#include "profile/deep_profiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr const char* kTokenization = "tokenization";
constexpr const char* kKvCacheSetup = "kv_cache_setup";

LlamaSamplerPtr make_sampler(const GenerateOptions& options) {
  LlamaSamplerPtr chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  if (options.temperature <= 0.0F) {
    llama_sampler_chain_add(chain.get(), llama_sampler_init_greedy());
    return chain;
  }
  // To llama.cpp this seed means "any": runs that name one must repeat.
  const std::uint32_t seed = options.seed == LLAMA_DEFAULT_SEED ? 0 : options.seed;
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(options.top_k));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(options.top_p, 1));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(options.temperature));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(seed));
  return chain;
}

}  // namespace

Result<void> LlamaGeneration::tokenize() {
  const SectionScope section = run_.section(Phase::pre_inference, kTokenization);
  if (options_.synthetic_prompt > 0) {
    for (int sequence = 0; sequence < options_.sequences; ++sequence) {
      auto prompt = engine_.synthetic_prompt(static_cast<std::size_t>(options_.synthetic_prompt),
                                             options_.seed + static_cast<std::uint32_t>(sequence));
      (sequence == 0 ? prompt_ : other_prompts_.emplace_back()) = std::move(prompt);
    }
    return {};
  }
  std::string text;
  if (options_.chat && !options_.prompt.empty()) {
    Result<std::string> applied = engine_.apply_chat_template(options_.prompt);
    if (!applied) {
      return std::unexpected(applied.error());
    }
    text = std::move(*applied);
  }
  Result<std::vector<llama_token>> tokens =
      engine_.tokenize(text.empty() ? std::string_view(options_.prompt) : text);
  if (!tokens) {
    return std::unexpected(tokens.error());
  }
  if (tokens->empty()) {
    return fail(ErrorCode::invalid_argument, "The prompt has no tokens",
                "Pass a prompt with some text: -p \"Once upon a time\"");
  }
  prompt_ = std::move(*tokens);
  other_prompts_.assign(static_cast<std::size_t>(options_.sequences) - 1, prompt_);
  return {};
}

Result<void> LlamaGeneration::size_context() {
  const auto trained = static_cast<std::uint64_t>(impl_.longest_context());
  const auto filled = static_cast<std::uint64_t>(options_.filled_context);
  const std::uint64_t before = filled + prompt_.size();
  const std::uint64_t wanted = before + static_cast<std::uint64_t>(options_.max_tokens);
  const std::uint64_t context = options_.context > 0 ? static_cast<std::uint64_t>(options_.context)
                                                     : std::min(wanted, trained);
  // Beyond them there is nothing to look up: llama.cpp would end the program.
  const auto learned =
      static_cast<std::uint64_t>(impl_.learned_positions.value_or(std::numeric_limits<int>::max()));
  if (context > learned) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("A context of {} positions is not possible: {} has learned {} of them "
                            "({}), and has none beyond",
                            context, impl_.facts.name, learned, kPositionTable),
                fmt::format("Pass --ctx {} or less, or leave it out.", learned));
  }
  if (before > context) {
    const std::string message =
        filled == 0
            ? fmt::format("The prompt has {} tokens, the context holds {}", before, context)
            : fmt::format("The prompt and what is before it have {} tokens, the context holds {}",
                          before, context);
    if (before >= learned) {
      return fail(
          ErrorCode::too_large, message,
          fmt::format("Shorten the prompt: {} has learned {} positions, and has none beyond.",
                      impl_.facts.name, learned));
    }
    return fail(
        ErrorCode::too_large, message,
        std::min(wanted, learned) <= trained
            ? fmt::format("Pass --ctx {} or more, or shorten the prompt.", wanted)
            : fmt::format("Shorten the prompt. The model was trained with {} positions; enprof run "
                          "--ctx {} goes beyond them.",
                          trained, std::min(wanted, learned)));
  }
  if (context > trained) {
    run_.warn({"engine", "context_beyond_training",
               fmt::format("The context of {} positions exceeds the {} that the model was trained "
                           "with: its text may be nonsense beyond them",
                           context, trained),
               fmt::format("Pass --ctx {} or less.", trained)});
  }
  positions_ = static_cast<std::uint32_t>(context);
  return {};
}

Result<void> LlamaGeneration::set_up() {
  if (auto tokenized = tokenize(); !tokenized) {
    return tokenized;
  }
  run_.set_prompt_tokens(prompt_tokens());
  if (auto sized = size_context(); !sized) {
    return sized;
  }
  if (auto opened = open_context(); !opened) {
    return opened;
  }
  if (auto filled = fill_context(); !filled) {
    return filled;
  }
  describe_run();
  return {};
}

Result<void> LlamaGeneration::open_context() {
  const SectionScope section = run_.section(Phase::pre_inference, kKvCacheSetup);
  const Result<CacheTypes> types = cache_types(options_);
  if (!types) {
    return std::unexpected(types.error());
  }
  cache_types_ = *types;
  const auto sequences = static_cast<std::uint32_t>(options_.sequences);
  const auto kv_bytes = kv_cache_bytes_of(std::uint64_t{positions_} * sequences);
  if (kv_bytes && !impl_.offloaded) {
    if (auto fits = check_fits_memory(
            fmt::format("The weights and the KV cache of {} positions",
                        std::uint64_t{positions_} * sequences),
            *kv_bytes + impl_.facts.weight_bytes.value_or(0), impl_.memory_bytes,
            "Pass a smaller --ctx, or fewer tokens with -n.");
        !fits) {
      return fits;
    }
  }
  llama_context_params params = llama_context_default_params();
  params.n_ctx = positions_ * sequences;
  params.n_seq_max = sequences;
  params.type_k = cache_types_.keys;
  params.type_v = cache_types_.values;
  if (options_.flash_attention) {
    params.flash_attn_type = *options_.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                       : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  }
  if (options_.batch > 0) {
    params.n_batch = static_cast<std::uint32_t>(options_.batch);
  }
  if (options_.micro_batch > 0) {
    params.n_ubatch = static_cast<std::uint32_t>(options_.micro_batch);
  }
  params.n_outputs_max = sequences;  // only the last tokens' logits are wanted
  params.n_threads = threads_;
  params.n_threads_batch = threads_;
  // Else llama.cpp takes large batches to a GPU even where no layer was to go there.
  params.op_offload = impl_.offloaded;
  attach_hooks();
  clock_->set_callbacks(params);
  const LlamaLogCapture log;
  const Result<llama_context*> opened =
      guarded([&] { return llama_init_from_model(impl_.model.get(), params); });
  if (!opened) {
    return std::unexpected(opened.error());
  }
  context_.reset(*opened);
  if (!context_) {
    return fail(ErrorCode::unavailable,
                fmt::format("llama.cpp cannot set up a context of {} positions: {}", positions_,
                            log.reason()),
                "Pass a smaller --ctx; -vv shows all that llama.cpp says.");
  }
  if (llama_get_memory(context_.get()) == nullptr) {
    return fail(ErrorCode::unsupported,
                fmt::format("The model {} ({}) does not generate text", impl_.facts.name,
                            impl_.facts.architecture),
                "Pass a decoder-only language model: llama, qwen, phi, gemma, …");
  }
  sampler_ = make_sampler(options_);
  const auto room = static_cast<std::size_t>(positions_) + 1 - prompt_.size();
  output_.reserve(std::min(static_cast<std::size_t>(options_.max_tokens), room) * sequences);
  piece_.resize(impl_.longest_piece + 1);
  // A chunk is a graph: llama.cpp would make several of a larger one.
  no_outputs_.assign(std::min(llama_n_batch(context_.get()), llama_n_ubatch(context_.get())), 0);
  if (sequences > 1) {
    batch_.emplace(static_cast<std::int32_t>(
        std::max(no_outputs_.size(), static_cast<std::size_t>(sequences))));
  }
  return {};
}

/// Puts tokens that mean nothing into the context of each sequence, before the prompt.
Result<void> LlamaGeneration::fill_context() {
  if (options_.filled_context == 0) {
    return {};
  }
  const SectionScope section = run_.section(Phase::pre_inference, kContextFillSection);
  const FilledContexts::Key key{.tokens = options_.filled_context,
                                .seed = options_.seed,
                                .keys = cache_types_.keys,
                                .values = cache_types_.values,
                                .flash_attention = options_.flash_attention.value_or(false),
                                .has_choice = options_.flash_attention.has_value()};
  if (!impl_.filled.restore(key, *context_, 0)) {
    constexpr std::uint32_t kOther = 0x9e3779b9;  // other tokens than those of the prompt
    std::vector<llama_token> tokens = engine_.synthetic_prompt(
        static_cast<std::size_t>(options_.filled_context), options_.seed ^ kOther);
    const LlamaGuard guard(threads_ > 1 ? LlamaGuard::Threads::many : LlamaGuard::Threads::one);
    for (std::size_t done = 0; done < tokens.size() && !cancelled();) {
      const std::size_t count = std::min(no_outputs_.size(), tokens.size() - done);
      llama_batch batch =
          llama_batch_get_one(tokens.data() + done, static_cast<std::int32_t>(count));
      batch.logits = no_outputs_.data();
      if (const int code = llama_decode(context_.get(), batch); code != 0 && !cancelled()) {
        return fail(ErrorCode::internal,
                    fmt::format("llama.cpp failed to fill the context at position {} (code {})",
                                done, code),
                    "-vv shows what llama.cpp says.");
      }
      done += count;
    }
    llama_synchronize(context_.get());
    impl_.filled.keep(key, *context_);
  }
  for (llama_seq_id sequence = 1; sequence < options_.sequences; ++sequence) {
    if (!impl_.filled.restore(key, *context_, sequence)) {
      return fail(ErrorCode::too_large,
                  fmt::format("The state of {} tokens is too large to be copied to {} sequences",
                              options_.filled_context, options_.sequences),
                  "Pass fewer tokens with -d, or one sequence.");
    }
  }
  used_ = static_cast<std::uint32_t>(options_.filled_context * options_.sequences);
  return {};
}

std::size_t LlamaGeneration::prompt_tokens() const noexcept {
  std::size_t count = prompt_.size();
  for (const auto& prompt : other_prompts_) {
    count += prompt.size();
  }
  return count;
}

std::optional<std::uint64_t> LlamaGeneration::kv_cache_bytes_of(std::uint64_t positions) const {
  return kv_cache_bytes(impl_.metadata, *impl_.model, positions, cache_types_.keys,
                        cache_types_.values);
}

void LlamaGeneration::attach_hooks() {
  if (run_.depth() == Depth::deep && options_.values_every > 0) {
    sampled_values_.emplace(ValueSampler::Options{
        .every = static_cast<std::size_t>(options_.values_every),
        .sparsity_threshold = static_cast<double>(options_.sparsity_threshold)});
  }
  clock_.emplace(run_,
                 OperationClock::Options{.offloaded = impl_.offloaded,
                                         .fusion = !is_fusion_disabled(),
                                         .stop = options_.stop,
                                         .sampler = sampled_values_ ? &*sampled_values_ : nullptr,
                                         .graph_nodes = impl_.graph_nodes});
  profiler_ = attach_profiler(run_, *clock_);
}

}  // namespace enprof
