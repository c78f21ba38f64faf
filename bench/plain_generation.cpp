#include "plain_generation.hpp"

#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace enprof::bench {
namespace {

bool every_node(ggml_tensor*, bool, void*) { return true; }

llama_context* open_context(llama_model* model, std::size_t positions, int threads,
                            Callback callback) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(positions);
  params.n_outputs_max = 1;
  params.n_threads = threads;
  params.n_threads_batch = threads;
  if (callback == Callback::every_node) {
    params.cb_eval = every_node;
  }
  return llama_init_from_model(model, params);
}

}  // namespace

PlainGeneration::PlainGeneration(const LlamaEngine& engine, std::vector<LlamaEngine::Token> prompt,
                                 int tokens, int threads, Callback callback)
    : engine_(engine),
      batch_(std::move(prompt)),
      context_(open_context(engine.model(), batch_.size() + static_cast<std::size_t>(tokens),
                            threads, callback),
               llama_free),
      sampler_(llama_sampler_init_greedy(), llama_sampler_free) {
  if (!context_) {
    throw std::runtime_error("llama.cpp cannot set up a context");
  }
}

PlainGeneration::~PlainGeneration() = default;

double PlainGeneration::next() {
  std::array<char, 512> piece{};
  const auto begin = std::chrono::steady_clock::now();
  if (llama_decode(context_.get(), llama_batch_get_one(batch_.data(), static_cast<std::int32_t>(
                                                                          batch_.size()))) != 0) {
    throw std::runtime_error("llama.cpp failed to decode");
  }
  llama_synchronize(context_.get());
  const llama_token token = llama_sampler_sample(sampler_.get(), context_.get(), -1);
  static_cast<void>(llama_token_to_piece(llama_model_get_vocab(engine_.model()), token,
                                         piece.data(), static_cast<std::int32_t>(piece.size()), 0,
                                         false));
  batch_.assign(1, token);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace enprof::bench
