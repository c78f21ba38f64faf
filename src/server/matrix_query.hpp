// Layers × components × one metric.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The data of a heatmap.
struct MetricMatrix {
  std::string metric;
  std::string unit;
  std::vector<std::int32_t> layers;
  std::vector<std::string> components;
  std::vector<std::optional<double>> values;  ///< by layer, then component

  [[nodiscard]] const std::optional<double>& at(std::size_t layer, std::size_t component) const {
    return values[layer * components.size() + component];
  }
};

/// All metrics; the first is the default.
[[nodiscard]] std::span<const std::string_view> metric_names();

/// Metrics of time and energy: energy, duration, power, pj_per_byte, pj_per_flop. Errors:
/// invalid_argument, for an unknown metric.
[[nodiscard]] Result<MetricMatrix> metric_matrix(const LayerComponentMatrix& cells,
                                                 std::string_view metric);
/// The cells of the passes that were summed.
[[nodiscard]] LayerComponentMatrix cells_of_passes(const OperationSums& sums);
/// Metrics of sampled values, as means: activation_mean, activation_std, activation_max, sparsity,
/// kill_ratio, variance_ratio, attention_entropy. Empty if it is not one of these metrics.
[[nodiscard]] std::optional<MetricMatrix> value_matrix(const SampledValues& values,
                                                       std::string_view metric);

}  // namespace enprof
