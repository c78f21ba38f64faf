// Where the joules of the forward passes went: by component, by layer, by operation.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/report_page.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Share (0–1) of the passes' time whose operations are told apart. What is missing is in the
/// component (untimed).
class OperationCoverage {
 public:
  void add(const ComponentFigure& component);
  /// Of the components that were added; empty where they took no time.
  [[nodiscard]] std::optional<double> share() const;

 private:
  Nanoseconds all_{0};
  Nanoseconds untimed_{0};
};
[[nodiscard]] std::optional<double> operation_coverage(const ProfiledRun& run);

/// One character for each value, as high as it is against the highest: ▁▂▃▄▅▆▇█; "·" where one is
/// absent. More values than columns are taken together, neighbours first, by their mean.
[[nodiscard]] std::string sparkline(const std::vector<std::optional<double>>& values,
                                    std::size_t columns);

/// Nothing where the run has no layers. By time where no energy was measured.
void write_components(ReportPage& page, const ProfiledRun& run);

}  // namespace enprof
