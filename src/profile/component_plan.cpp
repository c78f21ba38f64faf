#include "profile/component_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace enprof {
namespace {

bool same_component(const OperationInfo& a, const OperationInfo& b) {
  return a.layer == b.layer && a.component == b.component;
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

}  // namespace

void add_component_ends(const OperationPlan& plan, std::vector<std::uint32_t>& ends) {
  const std::vector<OperationInfo>& operations = plan.operations;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (i + 1 == operations.size() || !same_component(operations[i], operations[i + 1])) {
      ends.push_back(static_cast<std::uint32_t>(i));
    }
  }
}

OperationPlan merge_components(const OperationPlan& plan, std::span<const std::uint32_t> ends) {
  OperationPlan merged;
  std::size_t begin = 0;
  for (const std::uint32_t end : ends) {
    const auto operations = std::span(plan.operations).subspan(begin, end + 1 - begin);
    OperationInfo info = *std::ranges::max_element(
        operations, {},
        [](const OperationInfo& operation) { return operation.flops.value_or(0.0); });
    info.flops = info.bytes = 0.0;
    for (const OperationInfo& operation : operations) {
      info.flops = sum(info.flops, operation.flops);
      info.bytes = sum(info.bytes, operation.bytes);
    }
    merged.operations.push_back(std::move(info));
    begin = end + 1;
  }
  return merged;
}

}  // namespace enprof
