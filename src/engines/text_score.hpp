// How likely a model finds a text, token by token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

namespace enprof {

/// The text is cut into chunks of `context` tokens, each computed from an empty cache after the
/// begin of a sequence, where the model has one. The first half of a chunk is only read; of the
/// tokens of the second half the probabilities are told: each then has at least half a chunk before
/// it. This is how llama.cpp's llama-perplexity divides a text (tools/perplexity/README.md).
struct ScoreRequest {
  /// One token, in the order of the text.
  struct Row {
    std::size_t chunk = 0;
    std::int32_t token = 0;  ///< that follows
    /// ln p of each token of the vocabulary to be the next one.
    std::span<const float> log_probabilities{};
  };

  std::string text{};
  int context = 512;  ///< tokens of a chunk; at least 4
  int chunks = 16;    ///< at most
  int threads = 0;    ///< 0: as when the model was loaded
  std::stop_token stop{};
  /// Called for each scored token. False ends it.
  std::function<bool(const Row&)> visit{};
};

struct ScoreResult {
  std::size_t chunks = 0;
  std::size_t tokens = 0;  ///< that were scored
};

}  // namespace enprof
