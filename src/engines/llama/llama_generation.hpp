// One generation: the phases of an inference, one method each.
#pragma once

#include "engines/llama/generation_check.hpp"
#include "engines/llama/llama_engine_impl.hpp"
#include "engines/llama/operation_clock.hpp"
#include "engines/llama/sequence_batch.hpp"
#include "engines/llama/value_sampler.hpp"
#include "profile/layer_profiler.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enprof {

/// Lives for one call of LlamaEngine::generate(). From the first token on, it allocates nothing but
/// where llama.cpp makes a new graph (see OperationClock) and for values that are sampled: what
/// llama.cpp does inside is its own.
class LlamaGeneration {
 public:
  LlamaGeneration(LlamaEngine& engine, RunScope& run, const GenerateOptions& options);
  [[nodiscard]] Result<GenerateResult> perform();

 private:
  enum class Step : std::uint8_t { goes_on, ended };

  [[nodiscard]] Result<void> tokenize();
  [[nodiscard]] Result<void> size_context();
  [[nodiscard]] Result<void> set_up();
  [[nodiscard]] Result<void> open_context();
  [[nodiscard]] Result<void> fill_context();
  [[nodiscard]] std::size_t prompt_tokens() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> kv_cache_bytes_of(std::uint64_t positions) const;
  void attach_hooks();
  void describe_run();
  [[nodiscard]] Result<Step> prefill();
  [[nodiscard]] Result<Step> decode_next();
  [[nodiscard]] Result<Step> prefill_sequences();
  [[nodiscard]] Result<Step> decode_next_of_sequences();
  /// Samples, from the logits of this row of the batch (-1: the last), and detokenizes in the token
  /// that is open.
  [[nodiscard]] Step make_token(Phase phase, TokenScope& scope, std::int32_t row);
  [[nodiscard]] Result<Step> decode_batch(Phase phase, llama_batch batch);
  void hand_over_values();
  void warn_of_unread_values();
  void announce();
  [[nodiscard]] std::string whole_response() const;
  [[nodiscard]] GenerateResult finish();
  void check_output();
  [[nodiscard]] bool cancelled() const noexcept;

  LlamaEngine& engine_;
  LlamaEngine::Impl& impl_;
  RunScope& run_;
  const GenerateOptions& options_;

  std::vector<llama_token> prompt_;
  std::vector<std::vector<llama_token>> other_prompts_;  // of the sequences after the first
  std::vector<llama_token> output_;                      // capacity reserved
  std::vector<char> piece_;                              // room for the longest token
  std::size_t piece_size_ = 0;
  std::vector<std::int8_t> no_outputs_;
  CacheTypes cache_types_;
  std::optional<SequenceBatch> batch_;  // of several sequences; empty for one
  std::uint32_t positions_ = 0;         // that this run may use
  std::uint32_t used_ = 0;              // positions in the KV cache
  int threads_ = 1;
  std::optional<ValueSampler> sampled_values_;
  std::optional<OperationClock> clock_;
  std::unique_ptr<LayerProfiler> profiler_;  // has the clock attached; null at minimal depth
  LlamaContextPtr context_;                  // after the clock, which it calls
  LlamaSamplerPtr sampler_;
  const char* finish_reason_ = "length";
  bool listening_ = true;
};

}  // namespace enprof
