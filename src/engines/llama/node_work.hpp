// Arithmetic and memory traffic of llama.cpp's operations.
#pragma once

#include "model/operation_work.hpp"

#include <ggml.h>

namespace enprof {

/// By the present shapes and types of the node's tensors. FLOPs are empty for ops whose arithmetic
/// is not known.
[[nodiscard]] OperationWork node_work(const ggml_tensor& node);

/// For an RMS_NORM and the multiplication by its weights, if the CPU backend runs them as one.
[[nodiscard]] OperationWork fused_norm_work(const ggml_tensor& norm, const ggml_tensor& product);

}  // namespace enprof
