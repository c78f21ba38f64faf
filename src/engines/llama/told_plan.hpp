// The operations of a graph that another program's llama.cpp has told of.
#pragma once

#include "enprof/model/operation.hpp"

#include "record/told_pass.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// The operations of a graph that got a stamp each, by the same rules as those of our own graphs
/// (plan_graph). llama.cpp's versions differ in what the CPU backend runs as one: of the ways that
/// we know, with and without `fusion`, the one that fits the number of stamps is taken, the given
/// one first. Empty if none fits: then nothing is known of the operations.
[[nodiscard]] std::optional<OperationPlan> plan_told_graph(const ToldGraph& graph, bool fusion,
                                                           std::size_t stamps);

}  // namespace enprof
