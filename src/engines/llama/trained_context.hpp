// What a model's file says of its context, without loading it.
#pragma once

#include "engines/llama/gguf_check.hpp"

#include <cstdint>
#include <optional>

namespace enprof {

/// Positions that the model was trained with; empty where its file does not say.
[[nodiscard]] std::optional<std::int64_t> trained_context(const CheckedModel& model);

}  // namespace enprof
