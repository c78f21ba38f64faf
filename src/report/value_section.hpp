// Summary of the sampled tensor values.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/report_page.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {

/// How evenly the experts of one layer were chosen in one phase.
struct ExpertBalance {
  Phase phase = Phase::decode;
  std::int32_t layer = 0;
  std::size_t positions = 0;  ///< sampled
  /// 1 − σ / mean of the times that each expert was chosen; see expert_load_balance().
  std::optional<double> load_balance;
};
/// Counts how often each expert was chosen.
class ExpertCount {
 public:
  /// `experts` is the model's number of experts; a choice of a higher index raises it.
  explicit ExpertCount(std::optional<std::int32_t> experts);
  void add(const ExpertActivation& activation);
  /// By phase, then layer.
  [[nodiscard]] std::vector<ExpertBalance> balances() const;

 private:
  struct Layer {
    std::vector<std::size_t> chosen;  // by expert
    std::size_t positions = 0;
  };
  std::size_t experts_;
  std::map<std::pair<Phase, std::int32_t>, Layer> layers_;
};
[[nodiscard]] std::vector<ExpertBalance> expert_balances(const ProfiledRun& run);

/// Writes nothing if no values were sampled.
void write_values(ReportPage& page, const ProfiledRun& run);

}  // namespace enprof
