// Whether a generation can be what its options ask for.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/generation.hpp"

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace enprof {

/// Refuses options that no model can serve. Errors: invalid_argument, with the flag to pass.
[[nodiscard]] Result<void> check_generation(const GenerateOptions& options);

/// How long a model's contexts may be.
struct ContextBounds {
  std::string name{};            ///< the model's, for messages
  int trained = 0;               ///< positions that it was trained with
  std::optional<int> learned{};  ///< beyond them it has nothing to look up
};
/// The positions of the context of one sequence: what was asked for, else filled context, prompt
/// and output, at most those that the model was trained with. Errors: invalid_argument; too_large
/// if the prompt does not fit.
[[nodiscard]] Result<std::uint32_t> positions_for(const GenerateOptions& options,
                                                  std::size_t prompt_tokens,
                                                  const ContextBounds& bounds);

/// The types of the KV cache.
struct CacheTypes {
  ggml_type keys = GGML_TYPE_F16;  // llama.cpp's default
  ggml_type values = GGML_TYPE_F16;
};
/// Errors: invalid_argument for a type that llama.cpp has no caches of.
[[nodiscard]] Result<CacheTypes> cache_types(const GenerateOptions& options);

}  // namespace enprof
