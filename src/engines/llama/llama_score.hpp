// The probabilities that a model gives the tokens of a text.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/text_score.hpp"

#include <cstdint>
#include <vector>

struct llama_model;

namespace enprof {

/// Computes the chunks of these tokens; see ScoreRequest, whose text is not looked at. `threads` is
/// at least 1. Errors: invalid_argument for a text that is too short for two chunks, or a context
/// that is too small; cancelled; internal if llama.cpp fails; io if `visit` ends it.
[[nodiscard]] Result<ScoreResult> score_tokens(llama_model& model, bool offloaded, int threads,
                                               const std::vector<std::int32_t>& tokens,
                                               const ScoreRequest& request);

}  // namespace enprof
