// Sums of a run's operations, computed from the run itself.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace enprof::testing {

inline OperationSums sums_of(const ProfiledRun& run, const PassRange& range = {}) {
  std::map<std::pair<Phase, std::uint32_t>, OperationSum> sums;
  for (const OperationEvent& event : run.operation_table.events) {
    if (!range.has(event.phase, event.token)) {
      continue;
    }
    OperationSum& sum =
        sums.try_emplace({event.phase, event.operation}, OperationSum{.phase = event.phase,
                                                                      .operation = event.operation,
                                                                      .energy = Joules{0}})
            .first->second;
    ++sum.count;
    sum.duration += Nanoseconds{event.duration_ns};
    sum.energy =
        sum.energy && event.energy() ? std::optional{*sum.energy + *event.energy()} : std::nullopt;
  }
  OperationSums result{.operations = run.operation_table.operations, .sums = {}};
  for (const auto& [key, sum] : sums) {
    result.sums.push_back(sum);
  }
  return result;
}

}  // namespace enprof::testing
