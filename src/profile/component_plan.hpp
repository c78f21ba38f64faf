// Operations taken together component by component: the plan of who knows only components.
#pragma once

#include "enprof/model/operation.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// Adds the operations after which another layer or component begins, and the last.
void add_component_ends(const OperationPlan& plan, std::vector<std::uint32_t>& ends);

/// Operations between two of `ends` are one, named after the one that computes most; their FLOPs
/// and bytes are the sums.
[[nodiscard]] OperationPlan merge_components(const OperationPlan& plan,
                                             std::span<const std::uint32_t> ends);

}  // namespace enprof
