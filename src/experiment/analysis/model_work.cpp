#include "experiment/analysis/model_work.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

constexpr double kNearEnough = 0.05;  // of all parameters: norms and biases are not counted
constexpr double kCacheElementBytes = 2.0;

/// Bytes of keys and values of one position in all layers.
double cache_bytes_per_position(const ModelFacts& facts) {
  if (facts.kv_cache_bytes && facts.context.value_or(0) > 0) {
    return static_cast<double>(*facts.kv_cache_bytes) / *facts.context;
  }
  return 2.0 * kCacheElementBytes * facts.layers.value_or(0) * facts.kv_heads.value_or(0) *
         facts.head_width.value_or(0);
}

/// FLOPs of scores and sums of values, for each position that a token attends to.
double attention_flops_per_position(const ModelFacts& facts) {
  return 4.0 * facts.layers.value_or(0) * facts.heads.value_or(0) * facts.head_width.value_or(0);
}

double weight_bytes_per_parameter(const ModelFacts& facts) {
  const auto bits = bits_per_weight(facts);
  return bits ? *bits / 8.0 : 0.0;
}

}  // namespace

double ModelShape::active() const {
  return attention + feed_forward + experts * experts_used + router + embedding;
}

double ModelShape::all() const {
  return attention + feed_forward + experts + router + (is_tied ? 1.0 : 2.0) * embedding;
}

std::optional<ModelShape> model_shape(const ModelFacts& facts) {
  if (!facts.parameters || *facts.parameters == 0 || !facts.layers || !facts.embedding_width ||
      !facts.feed_forward_width || !facts.heads || !facts.kv_heads || !facts.head_width ||
      !facts.vocabulary) {
    return std::nullopt;
  }
  const double width = *facts.embedding_width;
  const double layers = *facts.layers;
  const double experts = facts.experts.value_or(0);
  ModelShape best;
  double least = HUGE_VAL;
  const auto parameters = static_cast<double>(*facts.parameters);
  for (const double matrices : {3.0, 2.0}) {
    for (const bool is_tied : {false, true}) {
      ModelShape shape{
          .attention = layers * 2.0 * width * *facts.head_width * (*facts.heads + *facts.kv_heads),
          .embedding = width * *facts.vocabulary,
          .is_tied = is_tied};
      const double part = layers * matrices * width * *facts.feed_forward_width;
      if (experts > 0.0) {
        shape.experts = part * experts;
        shape.router = layers * width * experts;
        shape.experts_used = std::min(1.0, facts.experts_used.value_or(0) / experts);
      } else {
        shape.feed_forward = part;
      }
      const double away = std::abs(shape.all() / parameters - 1.0);
      if (away < least) {
        least = away;
        best = shape;
      }
    }
  }
  return least <= kNearEnough ? std::optional{best} : std::nullopt;
}

std::optional<double> active_parameters(const ModelFacts& facts) {
  if (const auto shape = model_shape(facts)) {
    return shape->active();
  }
  if (facts.experts.value_or(0) > 0 || facts.parameters.value_or(0) == 0) {
    return std::nullopt;
  }
  return static_cast<double>(*facts.parameters);
}

std::optional<double> bits_per_weight(const ModelFacts& facts) {
  if (!facts.weight_bytes || facts.parameters.value_or(0) == 0) {
    return std::nullopt;
  }
  return 8.0 * static_cast<double>(*facts.weight_bytes) / static_cast<double>(*facts.parameters);
}

std::optional<TokenWork> decode_work(const ModelFacts& facts, double context, double sequences) {
  const auto active = active_parameters(facts);
  if (!active || !facts.layers || !bits_per_weight(facts)) {
    return std::nullopt;
  }
  double read = *active;
  if (const auto shape = model_shape(facts); shape && shape->experts > 0.0) {
    // Sequences choose experts of their own.
    const double used = std::min(1.0, shape->experts_used * sequences);
    read += shape->experts * (used - shape->experts_used);
  }
  return TokenWork{.weight_bytes = read * weight_bytes_per_parameter(facts) / sequences,
                   .cache_bytes = cache_bytes_per_position(facts) * context,
                   .flops = 2.0 * *active + attention_flops_per_position(facts) * context,
                   .layer_passes = *facts.layers / sequences};
}

std::optional<TokenWork> prefill_work(const ModelFacts& facts, double tokens, double at_a_time,
                                      double filled) {
  const auto active = active_parameters(facts);
  if (!active || !facts.layers || !bits_per_weight(facts) || tokens <= 0.0 || at_a_time <= 0.0) {
    return std::nullopt;
  }
  const double passes = std::ceil(tokens / at_a_time);
  const double in_pass = tokens / passes;
  double read = *active;
  double output = 0.0;
  if (const auto shape = model_shape(facts)) {
    output = shape->embedding;  // computed for the last token alone
    const double used = std::min(1.0, shape->experts_used * in_pass);
    read += shape->experts * (used - shape->experts_used);
  }
  const double context = filled + 0.5 * tokens;
  // A pass reads the keys and values once for all its tokens.
  const double cache = cache_bytes_per_position(facts) * (filled + 0.5 * (tokens + in_pass));
  return TokenWork{.weight_bytes = ((read - output) * passes + output) *
                                   weight_bytes_per_parameter(facts) / tokens,
                   .cache_bytes = cache * passes / tokens,
                   .flops = 2.0 * (*active - output) + 2.0 * output / tokens +
                            attention_flops_per_position(facts) * context,
                   .layer_passes = *facts.layers * passes / tokens};
}

}  // namespace enprof
