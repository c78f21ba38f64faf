// Checks values of a model file that llama.cpp does not check and that would end the program.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/llama/gguf_metadata.hpp"

#include <filesystem>

namespace enprof {

/// Whether llama.cpp can compute with the model's hyper-parameters. llama.cpp divides by some of
/// them, and asserts on others only while it computes, on threads that cannot be unwound. Values
/// that llama.cpp itself refuses are not checked, unless its error would not name them.
/// Errors: corrupt, with the key, its value and what it must be.
[[nodiscard]] Result<void> check_hyperparameters(const std::filesystem::path& path,
                                                 const GgufMetadata& metadata);

/// Whether the tensors have types that llama.cpp can compute with: vectors (norms, biases) are
/// added and multiplied element by element, which works only with floating-point types. Errors:
/// corrupt, with the tensor and its type.
[[nodiscard]] Result<void> check_weight_types(const std::filesystem::path& path,
                                              const gguf_context* gguf);

}  // namespace enprof
