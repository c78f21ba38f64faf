// What the runs of a point say together.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "experiment/experiment_runner.hpp"
#include "experiment/measure.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace enprof {

/// The mean of a measure over runs. Values are in the measure's unit.
struct PointMean {
  double mean = 0.0;
  /// Half the 95 % interval of the mean: k·u, where u combines (JCGM 100:2008, 5.1.2)
  /// - the spread between the runs, s/√n (type A), but at least what attribution leaves unknown of
  ///   the runs, √Σe²/n;
  /// - for what depends on a sensor, the uncertainty of its scale (type B), which all runs share
  ///   and repeating does not lessen;
  /// and k is Student's t for the effective degrees of freedom (Welch and Satterthwaite, G.4.1).
  /// Empty for one run, which says nothing of the spread.
  std::optional<double> half{};
  /// The part of `half` that repeating lessens: what counts when points of one machine are
  /// compared.
  std::optional<double> half_without_scale{};
  std::size_t count = 0;
  bool is_estimate = false;  ///< computed from load and rated power, not measured
};

/// What is known of the mean of these values, each with its standard error (0: unknown), and of a
/// scale with this relative uncertainty. At least one value.
[[nodiscard]] PointMean mean_of_runs(const std::vector<double>& values,
                                     const std::vector<double>& errors, double scale_uncertainty);

struct PointSummary {
  const PointResult* result = nullptr;
  const ProfiledRun* example = nullptr;           ///< a run, for facts; null without one
  std::vector<std::optional<PointMean>> means{};  ///< in the order of measures()
  std::size_t runs = 0;                           ///< completed
  std::size_t used = 0;                           ///< in the means
  std::size_t disturbed = 0;
  std::size_t outliers = 0;
  std::optional<VerdictLevel> verdict{};  ///< the worst of the runs used; of all if none is
  std::vector<VerdictReason> reasons{};   ///< of the runs, each code once

  [[nodiscard]] const std::optional<PointMean>& mean(std::string_view measure) const;
  /// Whether there is anything to show.
  [[nodiscard]] bool has_figures() const;
};

/// The result must outlive the summary.
[[nodiscard]] PointSummary summary_of(const PointResult& result);

}  // namespace enprof
