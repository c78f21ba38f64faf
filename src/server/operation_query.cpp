#include "server/operation_query.hpp"

#include "server/known_sum.hpp"

#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace enprof {

std::vector<LayerOperation> operations_by_layer(const OperationSums& sums) {
  std::map<std::string_view, std::size_t> ranks;  // component → its position in the graph
  for (const OperationInfo& operation : sums.operations) {
    ranks.try_emplace(operation.component, ranks.size());
  }
  std::map<std::tuple<Phase, std::int32_t, std::size_t, std::string_view>, LayerOperation> merged;
  for (const OperationSum& found : sums.sums) {
    const OperationInfo& operation = sums.operations[found.operation];
    const auto [entry, is_new] =
        merged.try_emplace({found.phase, operation.layer, ranks[operation.component], operation.op},
                           LayerOperation{.phase = found.phase,
                                          .layer = operation.layer,
                                          .component = operation.component,
                                          .op = operation.op,
                                          .energy = Joules{0},
                                          .flops = 0.0,
                                          .bytes = 0.0});
    LayerOperation& sum = entry->second;
    sum.count += found.count;
    sum.duration += found.duration;
    add_known(sum.energy, found.energy);
    add_known(sum.flops, times(operation.flops, found.count));
    add_known(sum.bytes, times(operation.bytes, found.count));
  }
  std::vector<LayerOperation> result;
  result.reserve(merged.size());
  for (auto& [key, sum] : merged) {
    result.push_back(std::move(sum));
  }
  return result;
}

}  // namespace enprof
