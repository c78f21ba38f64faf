// What is said of a tensor's values. Pure functions; sums are in double precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace enprof {

/// Below it a value counts as none.
inline constexpr double kSparsityThreshold = 0.01;

/// Of n elements x; elements that are not finite are left out:
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
/// Empty where no element is finite.
[[nodiscard]] std::optional<ActivationStatistics> activation_statistics(
    std::span<const float> values, double threshold = kSparsityThreshold);

/// Of the attention weights p of one query over the positions that it may see:
///   entropy         −Σ p ln p, in nats; 0 where one position has it all, ln(visible) where all
///                   have the same
///   maximum weight  max p
///   sparsity        share of the visible positions with p < threshold
/// Of a head: the means of these over its queries.
struct AttentionStatistics {
  double entropy_nats = 0.0;
  double maximum_weight = 0.0;
  double sparsity = 0.0;

  friend bool operator==(const AttentionStatistics&, const AttentionStatistics&) = default;
};
/// `weights` is the row as the softmax leaves it, in any order: positions that the query may not
/// see have 0 there. Empty where nothing is visible or a weight is not finite.
[[nodiscard]] std::optional<AttentionStatistics> attention_row_statistics(
    std::span<const float> weights, std::size_t visible, double threshold = kSparsityThreshold);
/// One row of `columns` weights for each query, one after another; `visible` by query. Queries that
/// have no statistics are left out; empty where none has.
[[nodiscard]] std::optional<AttentionStatistics> attention_head_statistics(
    std::span<const float> rows, std::size_t columns, std::span<const std::size_t> visible,
    double threshold = kSparsityThreshold);

/// Share of an MLP's gate pre-activations below 0: what SiLU, GELU or ReLU all but remove. Elements
/// that are not finite are left out; empty where none is left.
[[nodiscard]] std::optional<double> kill_ratio(std::span<const float> gate);

/// A norm's variance of its input / variance of its output, each over all elements, with n below
/// the line. Empty where the output has no variance or a value is not finite.
[[nodiscard]] std::optional<double> variance_ratio(std::span<const float> input,
                                                   std::span<const float> output);

/// −Σ p ln p in nats of a router's weights over all experts, p being each weight / their sum. Empty
/// where the sum is not positive, or a weight negative or not finite.
[[nodiscard]] std::optional<double> routing_entropy(std::span<const float> weights);
/// The same of logits: p = softmax.
[[nodiscard]] std::optional<double> routing_entropy_of_logits(std::span<const float> logits);

/// How evenly work is spread over experts: 1 − σ / mean of the times that each was chosen, with n
/// below the line. 1 is even; the less, the more uneven, below 0 too. Empty where none was chosen.
[[nodiscard]] std::optional<double> expert_load_balance(std::span<const std::size_t> chosen);

}  // namespace enprof
