// Values in a model file that llama.cpp does not check, and that would end the program.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/llama/gguf_metadata.hpp"

#include <filesystem>

namespace enprof {

/// Whether llama.cpp can compute with the model's hyper-parameters. It divides by some, and asserts
/// on others only while it computes, on threads that cannot be unwound. Values that it refuses in
/// order itself are left to it, but for those whose refusal would not name them.
/// Errors: corrupt, with the key, its value and what it must be.
[[nodiscard]] Result<void> check_hyperparameters(const std::filesystem::path& path,
                                                 const GgufMetadata& metadata);

/// Whether the tensors have types that llama.cpp computes with: vectors (norms, biases) are added
/// and multiplied element by element, which it can do with floating-point numbers only. Errors:
/// corrupt, with the tensor and its type.
[[nodiscard]] Result<void> check_weight_types(const std::filesystem::path& path,
                                              const gguf_context* gguf);

}  // namespace enprof
