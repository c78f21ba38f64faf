// How much work a token is for a model, from its shape alone: for models that did not run.
#pragma once

#include "enprof/model/model_facts.hpp"

#include <cstdint>
#include <optional>

namespace enprof {

/// The parameters of a decoder by where they are.
struct ModelShape {
  double attention = 0.0;     ///< of all layers: q, k, v, o
  double feed_forward = 0.0;  ///< of all layers, without experts
  double experts = 0.0;       ///< of all layers and experts
  double router = 0.0;
  double embedding = 0.0;     ///< of one table
  bool is_tied = false;       ///< the output uses the embedding's table
  double experts_used = 1.0;  ///< share of the experts that a token uses

  /// Parameters that a pass over one token reads: the embedding's table counts only if it is also
  /// the output, as a token reads one row of it.
  [[nodiscard]] double active() const;
  [[nodiscard]] double all() const;
};

/// From layers, widths, heads, experts and vocabulary. Whether a feed-forward layer has two or
/// three matrices, and whether the output has its own, is what comes nearest to the parameters that
/// the file has. Empty where facts are missing (recurrent layers have other ones), or nothing comes
/// within 5 % of those.
[[nodiscard]] std::optional<ModelShape> model_shape(const ModelFacts& facts);

/// By its shape, else all parameters of a model without experts. Empty for a mixture of unknown
/// shape.
[[nodiscard]] std::optional<double> active_parameters(const ModelFacts& facts);

/// Mean bits of a weight, with what its quantization stores beside it.
[[nodiscard]] std::optional<double> bits_per_weight(const ModelFacts& facts);

/// Work of one token.
struct TokenWork {
  double weight_bytes = 0.0;  ///< its share of the weights that are read
  double cache_bytes = 0.0;   ///< keys and values that are read
  double flops = 0.0;         ///< a multiply-add is two
  double layer_passes = 0.0;  ///< layers × passes: each costs some time of its own

  [[nodiscard]] double bytes() const { return weight_bytes + cache_bytes; }
};

/// Of a decoded token that attends to `context` positions, with so many sequences in a pass, which
/// share its weights. Empty if active_parameters() is, or the layers are not known.
[[nodiscard]] std::optional<TokenWork> decode_work(const ModelFacts& facts, double context,
                                                   double sequences = 1.0);
/// Of a token of a prompt that has so many, of which `at_a_time` are computed as one graph.
/// `filled`: positions before the prompt.
[[nodiscard]] std::optional<TokenWork> prefill_work(const ModelFacts& facts, double tokens,
                                                    double at_a_time, double filled = 0.0);

/// What llama.cpp computes as one graph unless it is told otherwise.
inline constexpr double kUsualMicroBatch = 512.0;

}  // namespace enprof
