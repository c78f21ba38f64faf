// What fills contexts before prompts, kept so that it is computed once for many runs.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/llama/generation_check.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <stop_token>
#include <vector>

struct llama_context;

namespace enprof {

/// The states of sequences after so many tokens, as llama.cpp saves them. A few are kept, the least
/// recently used forgotten first. Threads: one.
class FilledContexts {
 public:
  /// What a state depends on, for one model.
  struct Key {
    int tokens = 0;
    std::uint32_t seed = 0;
    ggml_type keys = GGML_TYPE_F16;
    ggml_type values = GGML_TYPE_F16;
    bool flash_attention = false;  // whether it was asked for: it changes how values are laid out
    bool has_choice = false;

    friend bool operator==(const Key&, const Key&) = default;
  };
  static constexpr std::size_t kMostStates = 8;
  static constexpr std::size_t kMostBytes = std::size_t{2} << 30U;

  /// How to fill a context.
  struct Filling {
    std::function<std::vector<std::int32_t>()> tokens{};
    std::size_t chunk = 1;  ///< tokens of a batch
    int sequences = 1;
    int threads = 1;
    std::stop_token stop{};
  };
  /// Fills all sequences of a context, with the kept state if there is one. Ends early if a stop is
  /// requested. Errors: internal if llama.cpp fails; too_large if the state cannot be kept, and so
  /// not be given to several sequences.
  [[nodiscard]] Result<void> fill(const Key& key, llama_context& context, const Filling& filling);

 private:
  /// Puts a kept state into a sequence of a context. False if there is none, or if it does not fit.
  [[nodiscard]] bool restore(const Key& key, llama_context& context, std::int32_t sequence);
  /// Keeps the state of sequence 0, unless it is larger than all states may be together.
  void keep(const Key& key, llama_context& context);

  struct State {
    Key key;
    std::vector<std::uint8_t> bytes;
  };
  std::list<State> states_;  // the last one used first
};

}  // namespace enprof
