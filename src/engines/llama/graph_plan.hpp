// What llama.cpp's graph consists of, and which of its nodes the operation clock will hear of.
#pragma once

#include "enprof/model/operation.hpp"

#include "engines/llama/node_identity.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
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

/// By node, whether the CPU backend runs it and the next as one: a norm that only the
/// multiplication after it uses (ggml_cpu_try_fuse_ops in ggml-cpu.c).
[[nodiscard]] std::vector<bool> find_fused(GraphNodes nodes);

/// Whether fusing is off: GGML_CPU_DISABLE_FUSION=1, as ggml_cpu_init() reads it.
[[nodiscard]] bool is_fusion_disabled() noexcept;

/// How many stamps the operation clock gets from these nodes.
[[nodiscard]] std::size_t count_stamps(GraphNodes nodes, bool fusion);

/// Makes room in a vector and touches it: the first touch of a page costs a microsecond, in a
/// virtual machine up to ten, and a plan has dozens of pages.
template <class T>
void make_touched_room(std::vector<T>& vector, std::size_t size) {
  vector.resize(size);
  vector.clear();
}

/// Memory that plans are made in, touched beforehand. Threads: one at a time.
struct PlanRoom {
  PlanRoom() = default;
  /// For so many graphs of up to so many nodes; others find room as they come.
  PlanRoom(std::size_t graphs, std::size_t nodes);
  /// For one more graph.
  void add(std::size_t nodes);

  std::vector<GraphPlan> plans;    ///< each graph takes one of them
  std::vector<NodeIdentity> made;  ///< by node
  boost::unordered_flat_map<std::uintptr_t, std::uint32_t> place_of;  ///< a node's, by its address
};

/// Identifies every operation that gets a stamp. The tensors must still be those of the graph.
[[nodiscard]] GraphPlan plan_graph(GraphNodes nodes, bool fusion, PlanRoom& room);
[[nodiscard]] GraphPlan plan_graph(GraphNodes nodes, bool fusion);

/// Operations taken together component by component: those between two of `ends` are one, named
/// after the one that computes most; their FLOPs and bytes are the sums.
[[nodiscard]] OperationPlan merge_components(const OperationPlan& plan,
                                             std::span<const std::uint32_t> ends);

/// Tells one node from another: its op, name, shape and place in memory layouts. Nodes of the same
/// graph built twice have the same.
[[nodiscard]] std::uint64_t node_fingerprint(const ggml_tensor& node) noexcept;

}  // namespace enprof
