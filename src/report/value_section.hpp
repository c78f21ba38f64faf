// What was seen in the tensors of sampled passes.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/report_page.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// How evenly one layer's experts were chosen in one phase.
struct ExpertBalance {
  Phase phase = Phase::decode;
  std::int32_t layer = 0;
  std::size_t positions = 0;  ///< that were seen
  /// 1 − σ / mean of the times that each expert was chosen; see expert_load_balance().
  std::optional<double> load_balance;
};
/// By phase and layer. The number of experts is the model's, or at least the highest seen.
[[nodiscard]] std::vector<ExpertBalance> expert_balances(const ProfiledRun& run);

/// Nothing where no values were looked at.
void write_values(ReportPage& page, const ProfiledRun& run);

}  // namespace enprof
