// Statistics of tensors. Pure functions; sums are in double precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace enprof {

/// A value whose magnitude is below it counts as zero.
inline constexpr double kSparsityThreshold = 0.01;

/// Statistics of the n finite elements x of a tensor:
///   mean                x̄ = Σx / n
///   standard deviation  √(Σ(x − x̄)² / n)
///   maximum             max |x|
///   sparsity            share of elements with |x| < threshold
struct ActivationStatistics {
  double mean = 0.0;
  double standard_deviation = 0.0;
  double maximum = 0.0;
  double sparsity = 0.0;

  friend bool operator==(const ActivationStatistics&, const ActivationStatistics&) = default;
};
/// Empty if no element is finite.
[[nodiscard]] std::optional<ActivationStatistics> activation_statistics(
    std::span<const float> values, double threshold = kSparsityThreshold);

/// Statistics of the attention weights p of one query over the positions that it may see:
///   entropy         −Σ p ln p, in nats; 0 if one position has all the weight, ln(visible) if all
///                   positions have the same weight
///   maximum weight  max p
///   sparsity        share of the visible positions with p < threshold
/// The statistics of a head are the means of these over its queries.
struct AttentionStatistics {
  double entropy_nats = 0.0;
  double maximum_weight = 0.0;
  double sparsity = 0.0;

  friend bool operator==(const AttentionStatistics&, const AttentionStatistics&) = default;
};
/// `weights` is the output row of the softmax, in any order; positions that the query may not see
/// have the weight 0. Empty if no position is visible or a weight is not finite.
[[nodiscard]] std::optional<AttentionStatistics> attention_row_statistics(
    std::span<const float> weights, std::size_t visible, double threshold = kSparsityThreshold);
/// `rows` has `columns` weights for each query, one query after another; `visible` is by query.
/// Queries without statistics are left out. Empty if no query has statistics.
[[nodiscard]] std::optional<AttentionStatistics> attention_head_statistics(
    std::span<const float> rows, std::size_t columns, std::span<const std::size_t> visible,
    double threshold = kSparsityThreshold);

/// Share of an MLP's gate pre-activations below 0, which SiLU, GELU or ReLU make (nearly) zero.
/// Elements that are not finite are left out. Empty if no element is finite.
[[nodiscard]] std::optional<double> kill_ratio(std::span<const float> gate);

/// Variance of a norm's input / variance of its output. Each variance is over all n elements, with
/// n as the denominator. Empty if the output's variance is 0 or a value is not finite.
[[nodiscard]] std::optional<double> variance_ratio(std::span<const float> input,
                                                   std::span<const float> output);

/// −Σ p ln p in nats of a router's weights over all experts, where p is each weight / their sum.
/// Empty if the sum is not positive, or if a weight is negative or not finite.
[[nodiscard]] std::optional<double> routing_entropy(std::span<const float> weights);
/// The same for logits: p is their softmax.
[[nodiscard]] std::optional<double> routing_entropy_of_logits(std::span<const float> logits);

/// How evenly work is spread over experts: 1 − σ / mean of how often each was chosen, with n as σ's
/// denominator. 1 is even; lower values, also below 0, are less even. Empty if all counts are 0.
[[nodiscard]] std::optional<double> expert_load_balance(std::span<const std::size_t> chosen);

}  // namespace enprof
