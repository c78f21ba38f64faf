#include "plain_generation.hpp"

#include <llama.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>

namespace enprof::bench {
namespace {

using Context = std::unique_ptr<llama_context, decltype(&llama_free)>;
using Sampler = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

bool every_node(ggml_tensor*, bool, void*) { return true; }

Context open_context(llama_model* model, std::size_t positions, int threads, Callback callback) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(positions);
  params.n_outputs_max = 1;
  params.n_threads = threads;
  params.n_threads_batch = threads;
  if (callback == Callback::every_node) {
    params.cb_eval = every_node;
  }
  return {llama_init_from_model(model, params), llama_free};
}

}  // namespace

PhaseTimes generate_plainly(const LlamaEngine& engine,
                            const std::vector<LlamaEngine::Token>& prompt, int tokens, int threads,
                            Callback callback) {
  llama_model* const model = engine.model();
  const llama_vocab* const vocab = llama_model_get_vocab(model);
  const Context context =
      open_context(model, prompt.size() + static_cast<std::size_t>(tokens), threads, callback);
  const Sampler sampler{llama_sampler_init_greedy(), llama_sampler_free};
  if (!context) {
    throw std::runtime_error("llama.cpp cannot set up a context");
  }
  std::array<char, 512> piece{};
  std::vector<llama_token> batch = prompt;
  const auto step = [&] {
    if (llama_decode(context.get(), llama_batch_get_one(batch.data(), static_cast<std::int32_t>(
                                                                          batch.size()))) != 0) {
      throw std::runtime_error("llama.cpp failed to decode");
    }
    llama_synchronize(context.get());
    const llama_token token = llama_sampler_sample(sampler.get(), context.get(), -1);
    static_cast<void>(llama_token_to_piece(vocab, token, piece.data(),
                                           static_cast<std::int32_t>(piece.size()), 0, false));
    batch.assign(1, token);
  };

  const auto begin = std::chrono::steady_clock::now();
  step();
  const auto first = std::chrono::steady_clock::now();
  for (int token = 1; token < tokens; ++token) {
    step();
  }
  const auto end = std::chrono::steady_clock::now();
  return {.prefill = std::chrono::duration<double>(first - begin).count(),
          .decode = std::chrono::duration<double>(end - first).count()};
}

}  // namespace enprof::bench
