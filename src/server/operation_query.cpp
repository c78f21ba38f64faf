#include "server/operation_query.hpp"

#include "server/known_sum.hpp"

#include <map>
#include <string_view>
#include <tuple>

namespace enprof {

std::vector<LayerOperation> operations_by_layer(const ProfiledRun& run, const PassRange& range) {
  const auto& operations = run.operation_table.operations;
  std::map<std::string_view, std::size_t> ranks;  // components in the order of the graph
  for (const OperationInfo& operation : operations) {
    ranks.try_emplace(operation.component, ranks.size());
  }
  // A million events: looked up by number, named only at the end.
  std::map<std::pair<Phase, std::uint32_t>, LayerOperation> by_operation;
  LayerOperation* current = nullptr;
  std::pair<Phase, std::uint32_t> place{};
  for (const OperationEvent& event : run.operation_table.events) {
    if (!range.has(event.phase, event.token)) {
      continue;
    }
    if (const std::pair next{event.phase, event.operation}; current == nullptr || next != place) {
      place = next;
      current = &by_operation.try_emplace(place, LayerOperation{.energy = Joules{0}}).first->second;
    }
    ++current->count;
    current->duration += Nanoseconds{event.duration_ns};
    add_known(current->energy, event.energy());
  }
  std::map<std::tuple<Phase, std::int32_t, std::size_t, std::string_view>, LayerOperation> merged;
  for (const auto& [key, found] : by_operation) {
    const OperationInfo& operation = operations[key.second];
    const auto [entry, is_new] =
        merged.try_emplace({key.first, operation.layer, ranks[operation.component], operation.op},
                           LayerOperation{.phase = key.first,
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
    const auto times = [&](const std::optional<double>& each) {
      return each ? std::optional{*each * static_cast<double>(found.count)} : std::nullopt;
    };
    add_known(sum.flops, times(operation.flops));
    add_known(sum.bytes, times(operation.bytes));
  }
  std::vector<LayerOperation> result;
  result.reserve(merged.size());
  for (auto& [key, sum] : merged) {
    result.push_back(std::move(sum));
  }
  return result;
}

}  // namespace enprof
