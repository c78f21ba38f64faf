#include "engines/llama/llama_score.hpp"

#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_handles.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/sequence_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace enprof {
namespace {

constexpr std::int32_t kBatch = 64;  // rows of a vocabulary's size are kept for so many tokens
constexpr std::size_t kLeastChunks = 2;

/// ln softmax. Subtracting the largest keeps exp() from overflowing.
void to_log_probabilities(std::span<const float> logits, std::vector<float>& result) {
  const float largest = std::ranges::max(logits);
  double sum = 0.0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit - largest));
  }
  const auto shift = static_cast<float>(static_cast<double>(largest) + std::log(sum));
  result.resize(logits.size());
  std::ranges::transform(logits, result.begin(), [shift](float logit) { return logit - shift; });
}

class Scorer {
 public:
  Scorer(llama_model& model, const ScoreRequest& request)
      : request_(request),
        vocabulary_(*llama_model_get_vocab(&model)),
        batch_(kBatch),
        row_size_(static_cast<std::size_t>(std::max(llama_vocab_n_tokens(&vocabulary_), 0))) {}

  [[nodiscard]] Result<void> open(llama_model& model, bool offloaded, int threads) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(request_.context);
    params.n_batch = static_cast<std::uint32_t>(kBatch);
    params.n_ubatch = static_cast<std::uint32_t>(kBatch);
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.op_offload = offloaded;
    threads_ = threads;
    const LlamaLogCapture log;
    const auto opened = guarded([&] { return llama_init_from_model(&model, params); });
    if (!opened) {
      return std::unexpected(opened.error());
    }
    context_.reset(*opened);
    if (!context_) {
      return fail(ErrorCode::unavailable,
                  fmt::format("llama.cpp cannot set up a context of {} positions: {}",
                              request_.context, log.reason()));
    }
    return {};
  }

  [[nodiscard]] Result<void> score_chunk(std::size_t number, std::span<const std::int32_t> chunk) {
    llama_memory_clear(llama_get_memory(context_.get()), true);
    const auto size = static_cast<std::int32_t>(chunk.size());
    const std::int32_t first = size / 2;
    for (std::int32_t begin = 0; begin < size; begin += kBatch) {
      const std::int32_t end = std::min(begin + kBatch, size);
      batch_.clear();
      for (std::int32_t index = begin; index < end; ++index) {
        // What the last token predicts is in the next chunk.
        const bool is_scored = index >= first && index + 1 < size;
        batch_.add(token_at(chunk, index), index, 0, is_scored);
      }
      if (auto computed = compute(number); !computed) {
        return computed;
      }
      for (std::int32_t index = std::max(begin, first); index < std::min(end, size - 1); ++index) {
        const float* const logits = llama_get_logits_ith(context_.get(), index - begin);
        if (logits == nullptr) {
          return fail(ErrorCode::internal, "llama.cpp gives no probabilities of tokens");
        }
        to_log_probabilities({logits, row_size_}, row_);
        if (!std::isfinite(row_.front())) {
          return fail(ErrorCode::corrupt, "The model's output is not a number",
                      "Download the model again, or another conversion of it.");
        }
        ++result.tokens;
        if (!request_.visit({.chunk = number,
                             .token = chunk[static_cast<std::size_t>(index) + 1],
                             .log_probabilities = row_})) {
          return fail(ErrorCode::io, "The probabilities of tokens cannot be kept",
                      "They need room for temporary files: set TMPDIR to a disk with more.");
        }
      }
    }
    ++result.chunks;
    return {};
  }

  ScoreResult result;

 private:
  /// Each chunk begins as a sequence does.
  [[nodiscard]] std::int32_t token_at(std::span<const std::int32_t> chunk,
                                      std::int32_t index) const {
    const llama_token begin = llama_vocab_bos(&vocabulary_);
    return index == 0 && llama_vocab_get_add_bos(&vocabulary_) && begin != LLAMA_TOKEN_NULL
               ? begin
               : chunk[static_cast<std::size_t>(index)];
  }

  [[nodiscard]] Result<void> compute(std::size_t chunk) {
    if (request_.stop.stop_requested()) {
      return fail(ErrorCode::cancelled, "Cancelled");
    }
    const LlamaGuard guard(threads_ > 1 ? LlamaGuard::Threads::many : LlamaGuard::Threads::one);
    const std::int32_t code = llama_decode(context_.get(), batch_.get());
    if (code != 0) {
      return fail(
          ErrorCode::internal,
          fmt::format("llama.cpp failed to decode chunk {} of the text (code {})", chunk, code),
          "-vv shows what llama.cpp says.");
    }
    return {};
  }

  const ScoreRequest& request_;
  const llama_vocab& vocabulary_;
  SequenceBatch batch_;
  std::size_t row_size_;
  std::vector<float> row_;
  LlamaContextPtr context_;
  int threads_ = 1;
};

}  // namespace

Result<ScoreResult> score_tokens(llama_model& model, bool offloaded, int threads,
                                 const std::vector<std::int32_t>& tokens,
                                 const ScoreRequest& request) {
  constexpr int kLeastContext = 4;
  if (request.context < kLeastContext) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("Chunks of {} tokens are too short", request.context),
                fmt::format("Pass {} or more.", kLeastContext));
  }
  const auto size = static_cast<std::size_t>(request.context);
  if (tokens.size() < kLeastChunks * size) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("The text has {} tokens; two chunks of {} are needed", tokens.size(), size),
        "Use a longer text.");
  }
  Scorer scorer(model, request);
  if (auto opened = scorer.open(model, offloaded, threads); !opened) {
    return std::unexpected(opened.error());
  }
  const std::size_t chunks =
      std::min(tokens.size() / size, static_cast<std::size_t>(std::max(request.chunks, 1)));
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    if (auto scored = scorer.score_chunk(chunk, std::span(tokens).subspan(chunk * size, size));
        !scored) {
      return std::unexpected(scored.error());
    }
  }
  return scorer.result;
}

}  // namespace enprof
