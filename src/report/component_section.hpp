// Energy and time inside the forward passes: by component, by layer, by operation.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/report_page.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Share (0–1) of the passes' time in which operations are identified. The rest is in the component
/// (untimed).
class OperationCoverage {
 public:
  void add(const ComponentFigure& component);
  /// The share over the components added; empty if they took no time.
  [[nodiscard]] std::optional<double> share() const;

 private:
  Nanoseconds all_{0};
  Nanoseconds untimed_{0};
};
[[nodiscard]] std::optional<double> operation_coverage(const ProfiledRun& run);

/// A bar character per value, scaled to the highest: ▁▂▃▄▅▆▇█; "·" for an absent value. If there
/// are more values than columns, neighbours are averaged.
[[nodiscard]] std::string sparkline(const std::vector<std::optional<double>>& values,
                                    std::size_t columns);

/// Writes nothing if the run has no layers. Shows time if no energy was measured.
void write_components(ReportPage& page, const ProfiledRun& run);

}  // namespace enprof
