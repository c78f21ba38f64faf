// Divides the energy of a pass among the sequences in its batch. Pure functions.
//
// An engine that serves several requests computes them in one pass. The energy of the pass goes to
// its operations first, and that of each operation to the sequences, by what it does for them:
//
//   tokens      weights are read once for all, and each token uses them: matrix products with
//               weights, norms, activations, rotations, writes to the KV cache
//   outputs     only rows whose logits are wanted: the output head, and what comes after the
//               selection of these rows in the last layer
//   attention   queries × keys: Σ over a sequence's tokens of position + 1 (each query sees the
//               positions up to its own), at most the keys that the layer keeps
//   sequences   a recurrent state that is moved once for each sequence
//
// docs/attribution.md has the reasons and the limits.
#pragma once

#include "enprof/model/model_facts.hpp"
#include "enprof/model/operation.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

enum class SharedBy : std::uint8_t { tokens, outputs, attention, sequences };

/// How an operation's energy is divided.
struct OperationSharing {
  static constexpr std::uint32_t kAllKeys = std::numeric_limits<std::uint32_t>::max();

  SharedBy by = SharedBy::tokens;
  std::uint32_t most_keys = kAllKeys;  ///< of attention: that a query can see in this layer

  friend auto operator<=>(const OperationSharing&, const OperationSharing&) = default;
};

/// By operation of the plan. It follows the components' names (docs/attribution.md); what they do
/// not tell is divided by tokens. A layer whose scores have fewer columns than a sequence has
/// positions keeps that many keys (a sliding window).
[[nodiscard]] std::vector<OperationSharing> sharing_of(const OperationPlan& plan);

/// Pairs of queries and keys that attention computes for a sequence: Σ min(position + 1, most_keys)
/// over its tokens in the batch.
[[nodiscard]] double attention_pairs(const BatchSequence& sequence,
                                     std::uint32_t most_keys = OperationSharing::kAllKeys);

/// By sequence: its share of such an operation, 0–1. They add up to 1, unless the batch is empty.
/// Where no sequence has any of what an operation is divided by (no outputs are wanted), it is
/// divided by tokens; without tokens evenly.
[[nodiscard]] std::vector<double> shares_of(std::span<const BatchSequence> batch,
                                            OperationSharing sharing);

/// By sequence: the standard deviation of such a share, because what the operation takes is not
/// quite in proportion to what it is divided by. Attention that computes takes the time of its
/// pairs; one that waits for memory, that of reading each sequence's keys once, however many
/// queries see them. The truth lies between the shares by these two (uniform). Empty if a share is
/// exact.
[[nodiscard]] std::vector<double> share_deviations(std::span<const BatchSequence> batch,
                                                   OperationSharing sharing);

// ---- the work of a pass -------------------------------------------------------------------------

/// Floating-point operations that a machine does in the time of one byte of memory traffic. Most
/// machines lie between the two outer ones; the figures of the middle one are used, and how far
/// those of the outer ones differ is part of the uncertainty.
inline constexpr double kUsualBalance = 10.0;
inline constexpr double kLowestBalance = 3.0;
inline constexpr double kHighestBalance = 30.0;

/// What a part of a pass takes, as the bytes that could be moved meanwhile: the longer of its
/// arithmetic and its traffic (the roofline of Williams, Waterman and Patterson, CACM 52:4, 2009).
[[nodiscard]] constexpr double modelled_time(double flops, double bytes, double balance) {
  return flops / balance > bytes ? flops / balance : bytes;
}

/// The work of a pass by the model's shape, for passes whose operations are not known. For T
/// tokens, O outputs, and of each sequence its pairs and the keys that it reads:
///
///   weights    2 FLOPs for each parameter and token; the bytes of the weights once      by tokens
///   attention  4 × head width × heads × layers FLOPs a pair (q·k, and weights · v);
///              2 × KV heads × head width × layers × 2 bytes a key (f16)                 its own
///   head       2 × width × vocabulary FLOPs an output; its weights once                 by outputs
///
/// (Kaplan et al., arXiv 2001.08361, table 1, for FLOPs a token; Pope et al., arXiv 2211.05102, for
/// the traffic of the KV cache.)
class PassModel {
 public:
  /// Empty if the model's facts do not say enough: parameters, layers, width, heads, vocabulary.
  [[nodiscard]] static std::optional<PassModel> of(const ModelFacts& facts);

  /// The modelled time of a batch.
  [[nodiscard]] double time(std::span<const BatchSequence> batch, double balance) const;
  /// By sequence: its share; they add up to 1.
  [[nodiscard]] std::vector<double> shares(std::span<const BatchSequence> batch,
                                           double balance = kUsualBalance) const;

 private:
  PassModel() = default;
  [[nodiscard]] double weights_time(double tokens, double balance) const;
  [[nodiscard]] double head_time(double outputs, double balance) const;
  [[nodiscard]] double attention_time(const BatchSequence& sequence, double balance) const;

  double parameters_ = 0.0;  // but for those of the head
  double weight_bytes_ = 0.0;
  double head_parameters_ = 0.0;
  double head_bytes_ = 0.0;
  double flops_per_pair_ = 0.0;
  double bytes_per_key_ = 0.0;
};

/// How a pass without operations is divided.
struct ModelledShares {
  std::vector<double> shares;
  /// By sequence: standard deviation of its share, as the machine's balance is not known: uniform
  /// between those of the outer balances. Empty if the model's shape is not known: then shares are
  /// by tokens, and how wrong that is cannot be told.
  std::vector<double> deviations;
};
[[nodiscard]] ModelledShares modelled_shares(const std::optional<PassModel>& model,
                                             std::span<const BatchSequence> batch);

// ---- what a sequence added ----------------------------------------------------------------------

/// An operation's arithmetic and traffic, as far as they depend on the batch.
struct OperationLoad {
  double flops = 0.0;         ///< in proportion to what it is divided by
  double bytes = 0.0;         ///< in proportion, too: inputs, results
  double shared_bytes = 0.0;  ///< read once for all: weights
};
/// From an operation's FLOPs and bytes. A product of weights [K, M] with `rows` rows has FLOPs 2 K
/// M rows; its inputs and results are 4 rows (K + M) bytes (F32), and the rest are weights. Of a
/// whole component (depth module) only K M is known: K + M is then taken as 2 √(K M), its least. An
/// operation whose shape is known has the rows of that instead. Empty if FLOPs or bytes are not
/// known.
[[nodiscard]] std::optional<OperationLoad> load_of(const OperationInfo& operation,
                                                   OperationSharing sharing, double rows);
/// The rows of such an operation: the batch's tokens, or its outputs.
[[nodiscard]] double rows_of(std::span<const BatchSequence> batch, OperationSharing sharing);

/// The part of an operation's energy that it would not have used without a sequence whose share of
/// it is `share`: 1 − t(1 − share) / t(1), where t is the modelled time of what is left of the
/// batch. What reads weights once for all loses little as long as it waits for memory. 1 for a
/// sequence that was alone. Without a load it is the share.
[[nodiscard]] double marginal_part(const std::optional<OperationLoad>& load, double share,
                                   double balance = kUsualBalance);

/// The exact Shapley value (Shapley, "A value for n-person games", 1953): by player the mean, over
/// all orders in which the players may come, of what the cost grows by when it comes. `cost` gets a
/// set of players as bits; that of no player counts as zero. At most kMostPlayers; calls `cost`
/// 2ⁿ times. Empty for more players.
inline constexpr std::size_t kMostPlayers = 16;
[[nodiscard]] std::vector<double> shapley_values(std::size_t players,
                                                 const std::function<double(std::uint32_t)>& cost);

}  // namespace enprof
