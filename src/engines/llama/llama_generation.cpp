#include "engines/llama/llama_generation.hpp"

#include "base/log.hpp"
#include "base/utf8.hpp"
#include "engines/llama/generation_check.hpp"
#include "engines/llama/llama_facts.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"
#include "model/context_fill.hpp"
#include "profile/deep_profiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

constexpr const char* kTokenization = "tokenization";
constexpr const char* kKvCacheSetup = "kv_cache_setup";
constexpr const char* kForward = "forward";
constexpr const char* kSampling = "sampling";
constexpr const char* kDetokenization = "detokenization";
constexpr const char* kCleanup = "cleanup";

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

LlamaGeneration::LlamaGeneration(LlamaEngine& engine, RunScope& run, const GenerateOptions& options)
    : engine_(engine),
      impl_(*engine.impl_),
      run_(run),
      options_(options),
      threads_(options.threads > 0 ? options.threads : impl_.threads) {}

Result<GenerateResult> LlamaGeneration::perform() {
  run_.set_model(impl_.facts);
  if (auto checked = check_generation(options_); !checked) {
    return std::unexpected(checked.error());
  }
  if (auto ready = set_up(); !ready) {
    return std::unexpected(ready.error());
  }
  Result<Step> step = prefill();
  while (step && *step == Step::goes_on) {
    step = decode_next();
  }
  if (!step) {  // what there is stays with the run
    run_.enter(Phase::post_inference);
    describe_run();
    hand_over_values();
    run_.set_response(whole_response());
    run_.set_finish_reason("error");
    return std::unexpected(step.error());
  }
  return finish();
}

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
  const ContextBounds bounds{.name = impl_.facts.name,
                             .trained = impl_.longest_context(),
                             .learned = impl_.learned_positions};
  const Result<std::uint32_t> positions = positions_for(options_, prompt_.size(), bounds);
  if (!positions) {
    return std::unexpected(positions.error());
  }
  positions_ = *positions;
  if (positions_ > static_cast<std::uint32_t>(bounds.trained)) {
    run_.warn({"engine", "context_beyond_training",
               fmt::format("The context of {} positions exceeds the {} that the model was trained "
                           "with: its text may be nonsense beyond them",
                           positions_, bounds.trained),
               fmt::format("Pass --ctx {} or less.", bounds.trained)});
  }
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
    if (auto fits =
            check_fits_memory(fmt::format("The weights and the KV cache of {} positions",
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
    params.flash_attn_type =
        *options_.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
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
                log.reason().contains("cache type")
                    ? "Choose another type of the KV cache."
                    : "Pass a smaller --ctx; -vv shows all that llama.cpp says.");
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
  constexpr std::uint32_t kOther = 0x9e3779b9;  // other tokens than those of the prompt
  const auto filled = impl_.filled.fill(
      {.tokens = options_.filled_context,
       .seed = options_.seed,
       .keys = cache_types_.keys,
       .values = cache_types_.values,
       .flash_attention = options_.flash_attention.value_or(false),
       .has_choice = options_.flash_attention.has_value()},
      *context_,
      {.tokens =
           [this] {
             return engine_.synthetic_prompt(static_cast<std::size_t>(options_.filled_context),
                                             options_.seed ^ kOther);
           },
       .chunk = no_outputs_.size(),
       .sequences = options_.sequences,
       .threads = threads_,
       .stop = options_.stop});
  used_ = static_cast<std::uint32_t>(options_.filled_context * options_.sequences);
  return filled;
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

void LlamaGeneration::describe_run() {
  ModelFacts facts = impl_.facts;
  facts.context = static_cast<int>(positions_);
  facts.threads = threads_;
  facts.kv_cache_bytes = kv_cache_bytes_of(llama_n_ctx(context_.get()));
  if (!output_.empty()) {  // else the run has just begun: what it will use is unknown
    facts.kv_cache_used_bytes = kv_cache_bytes_of(used_);
  }
  run_.set_model(std::move(facts));
}

Result<LlamaGeneration::Step> LlamaGeneration::decode_batch(Phase phase, llama_batch batch) {
  std::int32_t code = 0;
  clock_->begin_pass(phase, phase == Phase::decode ? static_cast<std::int32_t>(output_.size()) : -1,
                     {.id = 0,
                      .first_position = static_cast<std::int32_t>(used_),
                      // A batch of several sequences is told without them: 0 means unknown.
                      .tokens = batch_ ? 0U : static_cast<std::uint32_t>(batch.n_tokens),
                      .outputs = batch.logits == nullptr ? 1U : 0U});  // null: of the last token
  try {
    const LlamaGuard guard(threads_ > 1 ? LlamaGuard::Threads::many : LlamaGuard::Threads::one);
    code = llama_decode(context_.get(), batch);
    llama_synchronize(context_.get());  // a GPU computes on after the call returns
    if (const Result<void> hooked = clock_->end_pass(code == 0); !hooked && profiler_) {
      profiler_->fall_back(hooked.error());
    }
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal,
                fmt::format("llama.cpp failed to decode at position {}: {}", used_, error.what()),
                "-vv shows what llama.cpp says.");
  }
  if (code == 0) {
    used_ += static_cast<std::uint32_t>(batch.n_tokens);
    return Step::goes_on;
  }
  if (cancelled()) {
    finish_reason_ = "cancelled";
    return Step::ended;
  }
  return fail(ErrorCode::internal,
              fmt::format("llama.cpp failed to decode at position {} (code {})", used_, code),
              "-vv shows what llama.cpp says.");
}

Result<LlamaGeneration::Step> LlamaGeneration::prefill() {
  if (batch_) {
    return prefill_sequences();
  }
  {
    const SectionScope section = run_.section(Phase::prefill, kForward);
    const std::size_t chunk = no_outputs_.size();
    for (std::size_t done = 0; done < prompt_.size(); done += chunk) {
      const std::size_t count = std::min(chunk, prompt_.size() - done);
      llama_batch batch =
          llama_batch_get_one(prompt_.data() + done, static_cast<std::int32_t>(count));
      if (done + count < prompt_.size()) {
        batch.logits = no_outputs_.data();  // else each chunk would pay for the output layer
      }
      const Result<Step> step = decode_batch(Phase::prefill, batch);
      if (!step || *step == Step::ended) {
        return step;
      }
    }
  }
  TokenScope token = run_.token(Phase::prefill);
  const Step step = make_token(Phase::prefill, token, -1);
  token.end();
  if (step == Step::goes_on) {
    announce();
  }
  return step;
}

Result<LlamaGeneration::Step> LlamaGeneration::decode_next() {
  if (batch_) {
    return decode_next_of_sequences();
  }
  if (output_.size() >= static_cast<std::size_t>(options_.max_tokens)) {
    return Step::ended;
  }
  if (used_ >= positions_) {
    finish_reason_ = "context_full";
    return Step::ended;
  }
  if (cancelled()) {
    finish_reason_ = "cancelled";
    return Step::ended;
  }
  TokenScope token = run_.token(Phase::decode);
  SectionScope forward = run_.section(Phase::decode, kForward);
  const Result<Step> decoded = decode_batch(Phase::decode, llama_batch_get_one(&output_.back(), 1));
  forward.end();
  if (!decoded || *decoded == Step::ended) {
    token.discard();
    return decoded;
  }
  const Step step = make_token(Phase::decode, token, -1);
  token.end();
  if (step == Step::goes_on) {
    announce();
  }
  return step;
}

/// The prompts of all sequences, one after the other, in chunks that reach over their borders.
Result<LlamaGeneration::Step> LlamaGeneration::prefill_sequences() {
  std::vector<std::int32_t> rows;  // of the sequences that end in this chunk
  rows.reserve(static_cast<std::size_t>(options_.sequences));
  const auto compute = [&]() -> Result<Step> {
    {
      const SectionScope section = run_.section(Phase::prefill, kForward);
      const Result<Step> step = decode_batch(Phase::prefill, batch_->get());
      if (!step || *step == Step::ended) {
        return step;
      }
    }
    for (const std::int32_t row : rows) {
      TokenScope token = run_.token(Phase::prefill);
      static_cast<void>(make_token(Phase::prefill, token, row));
      token.end();
      announce();
    }
    rows.clear();
    batch_->clear();
    return Step::goes_on;
  };
  batch_->clear();
  for (llama_seq_id sequence = 0; sequence < options_.sequences; ++sequence) {
    const auto& prompt =
        sequence == 0 ? prompt_ : other_prompts_[static_cast<std::size_t>(sequence) - 1];
    for (std::size_t index = 0; index < prompt.size(); ++index) {
      const bool is_last = index + 1 == prompt.size();
      if (is_last) {
        rows.push_back(batch_->get().n_tokens);
      }
      batch_->add(prompt[index], options_.filled_context + static_cast<std::int32_t>(index),
                  sequence, is_last);
      if (batch_->is_full()) {
        const Result<Step> step = compute();
        if (!step || *step == Step::ended) {
          return step;
        }
      }
    }
  }
  return batch_->is_empty() ? Result<Step>{Step::goes_on} : compute();
}

/// The next token of each sequence: one pass for all. The first token bears the pass.
Result<LlamaGeneration::Step> LlamaGeneration::decode_next_of_sequences() {
  const auto sequences = static_cast<std::size_t>(options_.sequences);
  const std::size_t steps = output_.size() / sequences;
  const std::size_t position =
      static_cast<std::size_t>(options_.filled_context) + prompt_.size() + steps - 1;
  if (steps >= static_cast<std::size_t>(options_.max_tokens)) {
    return Step::ended;
  }
  if (position >= positions_) {
    finish_reason_ = "context_full";
    return Step::ended;
  }
  if (cancelled()) {
    finish_reason_ = "cancelled";
    return Step::ended;
  }
  batch_->clear();
  for (std::size_t sequence = 0; sequence < sequences; ++sequence) {
    batch_->add(output_[output_.size() - sequences + sequence], static_cast<std::int32_t>(position),
                static_cast<llama_seq_id>(sequence), true);
  }
  for (std::size_t sequence = 0; sequence < sequences; ++sequence) {
    TokenScope token = run_.token(Phase::decode);
    if (sequence == 0) {
      SectionScope forward = run_.section(Phase::decode, kForward);
      const Result<Step> decoded = decode_batch(Phase::decode, batch_->get());
      forward.end();
      if (!decoded || *decoded == Step::ended) {
        token.discard();
        return decoded;
      }
    }
    static_cast<void>(make_token(Phase::decode, token, static_cast<std::int32_t>(sequence)));
    token.end();
    announce();
  }
  return Step::goes_on;
}

LlamaGeneration::Step LlamaGeneration::make_token(Phase phase, TokenScope& scope,
                                                  std::int32_t row) {
  llama_token token = LLAMA_TOKEN_NULL;
  {
    const SectionScope section = run_.section(phase, kSampling);
    token = llama_sampler_sample(sampler_.get(), context_.get(), row);
  }
  if (!options_.ignore_eos && llama_vocab_is_eog(impl_.vocab(), token)) {
    scope.discard();
    finish_reason_ = "end_of_generation";
    return Step::ended;
  }
  const SectionScope section = run_.section(phase, kDetokenization);
  output_.push_back(token);
  const std::int32_t length = llama_token_to_piece(
      impl_.vocab(), token, piece_.data(), static_cast<std::int32_t>(piece_.size()), 0, false);
  piece_size_ = static_cast<std::size_t>(std::max(length, 0));
  scope.set_text({piece_.data(), piece_size_});
  return Step::goes_on;
}

void LlamaGeneration::hand_over_values() {
  if (sampled_values_) {
    run_.add_values(sampled_values_->take());
    warn_of_unread_values();
  }
}

/// What is missing among the values would otherwise look like a model without it.
void LlamaGeneration::warn_of_unread_values() {
  if (const std::size_t unread = sampled_values_->unread_attentions(); unread > 0) {
    run_.warn(
        {"engine", "attention_unread",
         fmt::format("Attention weights were asked for {} times (layers × sampled passes) and "
                     "could not be computed: the keys or the mask have a type or a layout "
                     "that enprof does not read",
                     unread),
         "Everything else was measured. The energy of attention does not depend on it."});
  }
  if (const std::size_t unread = sampled_values_->unread_routers(); unread > 0) {
    run_.warn({"engine", "router_unread",
               fmt::format("A router's choice was looked at {} times (layers × sampled passes) and "
                           "not understood: which experts were active there is not known",
                           unread),
               "Everything else was measured. Please report the model's architecture."});
  }
}

void LlamaGeneration::announce() {
  if (!listening_ || !options_.on_token) {
    return;
  }
  try {
    options_.on_token(output_.size() - 1, {piece_.data(), piece_size_});
  } catch (...) {
    listening_ = false;
    kLog.error("The token callback threw; it is not called again");
  }
}

std::string LlamaGeneration::whole_response() const {
  std::string text(output_.size() * 8 + impl_.longest_piece, '\0');
  const auto call = [&] {
    return llama_detokenize(impl_.vocab(), output_.data(),
                            static_cast<std::int32_t>(output_.size()), text.data(),
                            static_cast<std::int32_t>(text.size()), false, false);
  };
  std::int32_t length = output_.empty() ? 0 : call();
  if (length < 0) {
    text.resize(static_cast<std::size_t>(-length));
    length = call();
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  return to_valid_utf8(text);
}

/// Damaged weights make NaN, and everything after them meaningless: looked at once, at the end.
void LlamaGeneration::check_output() {
  const bool there = !output_.empty() && !cancelled();  // an aborted decode leaves none
  const float* logits = there ? llama_get_logits_ith(context_.get(), -1) : nullptr;
  const auto count = static_cast<std::size_t>(llama_vocab_n_tokens(impl_.vocab()));
  if (logits == nullptr ||
      std::none_of(logits, logits + count, [](float logit) { return std::isnan(logit); })) {
    return;
  }
  run_.warn({"engine", "output_not_finite",
             "The model's output is not a number: its text means nothing, and its energy may not "
             "be that of sound weights",
             "Download the model again, or another conversion of it."});
}

GenerateResult LlamaGeneration::finish() {
  GenerateResult result{.prompt_tokens = prompt_tokens(),
                        .output_tokens = output_.size(),
                        .finish_reason = finish_reason_};
  {
    const SectionScope section = run_.section(Phase::post_inference, kDetokenization);
    result.response = whole_response();
  }
  check_output();
  describe_run();
  {
    const SectionScope section = run_.section(Phase::post_inference, kCleanup);
    context_.reset();
    sampler_.reset();
  }
  hand_over_values();
  run_.set_response(result.response);
  run_.set_finish_reason(result.finish_reason);
  return result;
}

bool LlamaGeneration::cancelled() const noexcept { return options_.stop.stop_requested(); }

}  // namespace enprof
