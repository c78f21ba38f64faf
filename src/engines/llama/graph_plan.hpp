// The operations of llama.cpp's graph, and which of its nodes get a stamp from the operation clock.
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

/// The operations that are timed, and their places among the nodes.
struct GraphPlan {
  OperationPlan plan;
  std::vector<std::uint32_t> nodes;  ///< by operation: its node; for a fused pair the second one
  /// Operations after which another layer or component begins, and the last operation.
  std::vector<std::uint32_t> component_ends;
};

/// Whether llama.cpp's CPU backend does nothing for a node: views, reshapes, and nodes that are not
/// marked to be computed (ggml_graph_compute_thread in ggml-cpu.c).
[[nodiscard]] bool is_skipped(const ggml_tensor& node) noexcept;

/// By node, whether the CPU backend runs it and the next one as one: a norm whose result only the
/// multiplication after it uses (ggml_cpu_try_fuse_ops in ggml-cpu.c).
[[nodiscard]] std::vector<bool> find_fused(GraphNodes nodes);

/// Whether fusing is off: GGML_CPU_DISABLE_FUSION=1, as ggml_cpu_init() reads it.
[[nodiscard]] bool is_fusion_disabled() noexcept;

/// How many stamps the operation clock gets from these nodes.
[[nodiscard]] std::size_t count_stamps(GraphNodes nodes, bool fusion);

/// Reserves memory for a vector and writes to it: the first access to a page costs a microsecond,
/// in a virtual machine up to ten, and a plan has dozens of pages.
template <class T>
void make_touched_room(std::vector<T>& vector, std::size_t size) {
  vector.resize(size);
  vector.clear();
}

/// Memory for making plans, written to beforehand. Threads: one at a time.
struct PlanRoom {
  PlanRoom() = default;
  /// For this many graphs of up to this many nodes; beyond that, memory is allocated when needed.
  PlanRoom(std::size_t graphs, std::size_t nodes);
  /// Adds memory for one more graph.
  void add(std::size_t nodes);

  std::vector<GraphPlan> plans;    ///< each graph takes one of them
  std::vector<NodeIdentity> made;  ///< by node
  boost::unordered_flat_map<std::uintptr_t, std::uint32_t> place_of;  ///< of a node, by its address
};

/// Identifies every operation that gets a stamp. The graph's tensors must still exist.
[[nodiscard]] GraphPlan plan_graph(GraphNodes nodes, bool fusion, PlanRoom& room);
[[nodiscard]] GraphPlan plan_graph(GraphNodes nodes, bool fusion);

/// A hash of a node's op, name, shape and memory layout, to distinguish nodes. It is the same if
/// the same graph is built again.
[[nodiscard]] std::uint64_t node_fingerprint(const ggml_tensor& node) noexcept;

}  // namespace enprof
