// What llama.cpp's graph consists of, and which of its nodes the operation clock will hear of.
#pragma once

#include "enprof/model/operation.hpp"

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// A graph's nodes in the order in which they run.
using GraphNodes = std::span<const ggml_tensor* const>;

/// The operations that are timed, and where they lie among the nodes.
struct GraphPlan {
  OperationPlan plan;
  std::vector<std::uint32_t> nodes;  ///< by operation: its node, of a fused pair the second
  /// Operations after which another layer or component begins, and the last.
  std::vector<std::uint32_t> component_ends;
};

/// Whether llama.cpp's CPU backend does nothing for a node: views, reshapes, and what is not marked
/// to be computed (ggml_graph_compute_thread in ggml-cpu.c).
[[nodiscard]] bool is_skipped(const ggml_tensor& node) noexcept;

/// Whether the CPU backend runs nodes `index` and `index` + 1 as one: ggml_cpu_try_fuse_ops in
/// ggml-cpu.c.
[[nodiscard]] bool is_fused(GraphNodes nodes, std::size_t index) noexcept;

/// Whether fusing is off: GGML_CPU_DISABLE_FUSION=1, as ggml_cpu_init() reads it.
[[nodiscard]] bool is_fusion_disabled() noexcept;

/// How many stamps the operation clock gets from these nodes. Does not allocate.
[[nodiscard]] std::size_t count_stamps(GraphNodes nodes, bool fusion) noexcept;

/// Identifies every operation that gets a stamp. The tensors must still be those of the graph.
[[nodiscard]] GraphPlan plan_graph(GraphNodes nodes, bool fusion);

/// The operations of `graph` taken together component by component: those between two ends are one,
/// named after the one that computes most; their FLOPs and bytes are the sums.
[[nodiscard]] OperationPlan merge_components(const GraphPlan& graph);

/// Tells one node from another: its op, name, shape and place in memory layouts. Nodes of the same
/// graph built twice have the same.
[[nodiscard]] std::uint64_t node_fingerprint(const ggml_tensor& node) noexcept;

}  // namespace enprof
