// Sums of the operations of a deep run, by phase, layer and component.
#pragma once

#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// All operations of one kind in one component of one layer, in one phase.
struct LayerOperation {
  Phase phase = Phase::decode;
  std::int32_t layer = 0;  ///< OperationInfo::kNoLayer: outside the layers
  std::string component;
  std::string op;
  std::size_t count = 0;
  Nanoseconds duration{0};
  std::optional<Joules> energy;  ///< empty if a part of it is unknown, as below
  std::optional<double> flops;
  std::optional<double> bytes;
};

/// Sorted by phase, layer, and the component's position in the graph.
[[nodiscard]] std::vector<LayerOperation> operations_by_layer(const OperationSums& sums);

}  // namespace enprof
