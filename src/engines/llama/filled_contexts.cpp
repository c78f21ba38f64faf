#include "engines/llama/filled_contexts.hpp"

#include <llama.h>

#include <algorithm>
#include <utility>

namespace enprof {

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
