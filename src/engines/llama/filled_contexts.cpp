#include "engines/llama/filled_contexts.hpp"

#include "engines/llama/llama_guard.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <utility>

namespace enprof {

Result<void> FilledContexts::fill(const Key& key, llama_context& context, const Filling& filling) {
  if (!restore(key, context, 0)) {
    std::vector<std::int32_t> tokens = filling.tokens();
    std::vector<std::int8_t> no_outputs(filling.chunk, 0);
    const LlamaGuard guard(filling.threads > 1 ? LlamaGuard::Threads::many
                                               : LlamaGuard::Threads::one);
    for (std::size_t done = 0; done < tokens.size();) {
      const std::size_t count = std::min(filling.chunk, tokens.size() - done);
      llama_batch batch =
          llama_batch_get_one(tokens.data() + done, static_cast<std::int32_t>(count));
      batch.logits = no_outputs.data();
      const std::int32_t code = llama_decode(&context, batch);
      if (filling.stop.stop_requested()) {
        return {};
      }
      if (code != 0) {
        return fail(ErrorCode::internal,
                    fmt::format("llama.cpp failed to fill the context at position {} (code {})",
                                done, code),
                    "-vv shows what llama.cpp says.");
      }
      done += count;
    }
    llama_synchronize(&context);
    keep(key, context);
  }
  for (llama_seq_id sequence = 1; sequence < filling.sequences; ++sequence) {
    if (!restore(key, context, sequence)) {
      return fail(ErrorCode::too_large,
                  fmt::format("The state of {} tokens is too large to be copied to {} sequences",
                              key.tokens, filling.sequences),
                  "Pass fewer tokens with -d, or one sequence.");
    }
  }
  return {};
}

bool FilledContexts::restore(const Key& key, llama_context& context, std::int32_t sequence) {
  const auto found = std::ranges::find(states_, key, &State::key);
  if (found == states_.end()) {
    return false;
  }
  states_.splice(states_.begin(), states_, found);
  return llama_state_seq_set_data(&context, found->bytes.data(), found->bytes.size(), sequence) > 0;
}

void FilledContexts::keep(const Key& key, llama_context& context) {
  std::erase_if(states_, [&](const State& state) { return state.key == key; });
  const std::size_t size = llama_state_seq_get_size(&context, 0);
  if (size == 0 || size > kMostBytes) {
    return;
  }
  std::size_t all = size;
  for (const State& state : states_) {
    all += state.bytes.size();
  }
  while (!states_.empty() && (states_.size() >= kMostStates || all > kMostBytes)) {
    all -= states_.back().bytes.size();
    states_.pop_back();
  }
  State state{.key = key, .bytes = std::vector<std::uint8_t>(size)};
  state.bytes.resize(llama_state_seq_get_data(&context, state.bytes.data(), size, 0));
  if (!state.bytes.empty()) {
    states_.push_front(std::move(state));
  }
}

}  // namespace enprof
