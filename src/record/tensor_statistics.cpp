#include "record/tensor_statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace enprof {
namespace {

/// Several partial sums, so that the compiler can use vector registers without reordering sums.
constexpr std::size_t kLanes = 8;
using Lanes = std::array<double, kLanes>;

double sum(const Lanes& lanes) {
  double total = 0.0;
  for (const double lane : lanes) {
    total += lane;
  }
  return total;
}

/// Σ function(x) over all elements x.
template <class Function>
double sum_of(std::span<const float> values, Function function) {
  Lanes lanes{};
  std::size_t index = 0;
  for (; index + kLanes <= values.size(); index += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += function(static_cast<double>(values[index + lane]));
    }
  }
  for (; index < values.size(); ++index) {
    lanes[0] += function(static_cast<double>(values[index]));
  }
  return sum(lanes);
}

double mean_of(std::span<const float> values) {
  return sum_of(values, [](double x) { return x; }) / static_cast<double>(values.size());
}

double variance_of(std::span<const float> values) {
  const double mean = mean_of(values);
  return sum_of(values, [mean](double x) { return (x - mean) * (x - mean); }) /
         static_cast<double>(values.size());
}

std::vector<float> finite_only(std::span<const float> values) {
  std::vector<float> result;
  std::ranges::copy_if(values, std::back_inserter(result),
                       [](float value) { return std::isfinite(value); });
  return result;
}

bool all_finite(std::span<const float> values) {
  // 0 × x is 0 only if x is finite; otherwise it is NaN, and so is the sum.
  return sum_of(values, [](double x) { return 0.0 * x; }) == 0.0;
}

ActivationStatistics statistics_of_finite(std::span<const float> values, double threshold) {
  ActivationStatistics result{.mean = mean_of(values),
                              .standard_deviation = std::sqrt(variance_of(values))};
  result.sparsity =
      sum_of(values, [threshold](double x) { return std::abs(x) < threshold ? 1.0 : 0.0; }) /
      static_cast<double>(values.size());
  for (const float value : values) {
    result.maximum = std::max(result.maximum, std::abs(static_cast<double>(value)));
  }
  return result;
}

double minus_p_ln_p(double p) { return p > 0.0 ? -p * std::log(p) : 0.0; }

}  // namespace

std::optional<ActivationStatistics> activation_statistics(std::span<const float> values,
                                                          double threshold) {
  if (all_finite(values)) {
    return values.empty() ? std::nullopt : std::optional{statistics_of_finite(values, threshold)};
  }
  const std::vector<float> finite = finite_only(values);
  return finite.empty() ? std::nullopt : std::optional{statistics_of_finite(finite, threshold)};
}

std::optional<AttentionStatistics> attention_row_statistics(std::span<const float> weights,
                                                            std::size_t visible, double threshold) {
  if (visible == 0 || weights.empty() || !all_finite(weights)) {
    return std::nullopt;
  }
  AttentionStatistics result;
  std::size_t dense = 0;
  for (const float weight : weights) {
    const auto p = static_cast<double>(weight);
    result.entropy_nats += minus_p_ln_p(p);
    result.maximum_weight = std::max(result.maximum_weight, p);
    dense += p >= threshold ? 1 : 0;
  }
  dense = std::min(dense, visible);
  result.sparsity = static_cast<double>(visible - dense) / static_cast<double>(visible);
  return result;
}

std::optional<AttentionStatistics> attention_head_statistics(std::span<const float> rows,
                                                             std::size_t columns,
                                                             std::span<const std::size_t> visible,
                                                             double threshold) {
  AttentionStatistics total;
  std::size_t count = 0;
  for (std::size_t query = 0; query < visible.size() && (query + 1) * columns <= rows.size();
       ++query) {
    const auto row =
        attention_row_statistics(rows.subspan(query * columns, columns), visible[query], threshold);
    if (row) {
      total.entropy_nats += row->entropy_nats;
      total.maximum_weight += row->maximum_weight;
      total.sparsity += row->sparsity;
      ++count;
    }
  }
  if (count == 0) {
    return std::nullopt;
  }
  const auto queries = static_cast<double>(count);
  return AttentionStatistics{.entropy_nats = total.entropy_nats / queries,
                             .maximum_weight = total.maximum_weight / queries,
                             .sparsity = total.sparsity / queries};
}

std::optional<double> kill_ratio(std::span<const float> gate) {
  std::size_t finite = 0;
  std::size_t killed = 0;
  for (const float value : gate) {
    finite += std::isfinite(value) ? 1 : 0;
    killed += std::isfinite(value) && value < 0.0F ? 1 : 0;
  }
  return finite == 0 ? std::nullopt
                     : std::optional{static_cast<double>(killed) / static_cast<double>(finite)};
}

std::optional<double> variance_ratio(std::span<const float> input, std::span<const float> output) {
  if (input.empty() || output.empty() || !all_finite(input) || !all_finite(output)) {
    return std::nullopt;
  }
  const double below = variance_of(output);
  return below > 0.0 ? std::optional{variance_of(input) / below} : std::nullopt;
}

std::optional<double> routing_entropy(std::span<const float> weights) {
  const bool valid = std::ranges::all_of(
      weights, [](float weight) { return std::isfinite(weight) && weight >= 0.0F; });
  const double total = sum_of(weights, [](double x) { return x; });
  if (!valid || total <= 0.0) {
    return std::nullopt;
  }
  return sum_of(weights, [total](double x) { return minus_p_ln_p(x / total); });
}

std::optional<double> routing_entropy_of_logits(std::span<const float> logits) {
  if (logits.empty() || !all_finite(logits)) {
    return std::nullopt;
  }
  // The largest logit is subtracted, so that no exponential overflows.
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  const double total = sum_of(logits, [largest](double x) { return std::exp(x - largest); });
  return sum_of(logits,
                [largest, total](double x) { return minus_p_ln_p(std::exp(x - largest) / total); });
}

std::optional<double> expert_load_balance(std::span<const std::size_t> chosen) {
  double total = 0.0;
  for (const std::size_t count : chosen) {
    total += static_cast<double>(count);
  }
  if (total <= 0.0) {
    return std::nullopt;
  }
  const auto experts = static_cast<double>(chosen.size());
  const double mean = total / experts;
  double square_sum = 0.0;
  for (const std::size_t count : chosen) {
    const double difference = static_cast<double>(count) - mean;
    square_sum += difference * difference;
  }
  return 1.0 - std::sqrt(square_sum / experts) / mean;
}

}  // namespace enprof
