// Arithmetic and memory traffic of llama.cpp's operations.
#pragma once

#include "model/operation_work.hpp"

#include <ggml.h>

namespace enprof {

/// By the shapes and types of the node's tensors as they are at present. FLOPs are empty for ops
/// whose arithmetic is not known here.
[[nodiscard]] OperationWork node_work(const ggml_tensor& node);

/// Of an RMS_NORM and the multiplication by its weights that llama.cpp's CPU backend runs as one.
[[nodiscard]] OperationWork fused_norm_work(const ggml_tensor& norm, const ggml_tensor& product);

}  // namespace enprof
