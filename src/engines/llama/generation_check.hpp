// Whether a generation can be what its options ask for.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/generation.hpp"

#include <ggml.h>

namespace enprof {

/// Refuses options that no model can serve. Errors: invalid_argument, with the flag to pass.
[[nodiscard]] Result<void> check_generation(const GenerateOptions& options);

/// The types of the KV cache.
struct CacheTypes {
  ggml_type keys = GGML_TYPE_F16;  // llama.cpp's default
  ggml_type values = GGML_TYPE_F16;
};
/// Errors: invalid_argument for a type that llama.cpp has no caches of.
[[nodiscard]] Result<CacheTypes> cache_types(const GenerateOptions& options);

}  // namespace enprof
