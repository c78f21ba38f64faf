#include "engines/llama/attention_weights.hpp"

#include "engines/llama/tensor_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace enprof {
namespace {

/// Sums are computed in this many parts, so that the compiler can use vector instructions.
constexpr std::size_t kLanes = 8;

struct Parameters {
  float scale = 1.0F;
  float max_bias = 0.0F;
  float cap = 0.0F;
};

Parameters parameters_of(const ggml_tensor& node) {
  std::array<float, 3> values{};
  std::memcpy(values.data(), node.op_params, sizeof values);
  return {.scale = values[0], .max_bias = values[1], .cap = values[2]};
}

float dot(const float* a, const float* b, std::size_t count) {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += a[i + lane] * b[i + lane];
    }
  }
  float sum = 0.0F;
  for (const float part : sums) {
    sum += part;
  }
  for (; i < count; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

/// ALiBi (Press, Smith and Lewis, arXiv 2108.12409): how steeply a head's mask falls.
float slope_of(std::size_t head, std::size_t heads, float max_bias) {
  if (max_bias <= 0.0F) {
    return 1.0F;
  }
  const auto power = static_cast<std::size_t>(std::exp2(std::floor(std::log2(heads))));
  const auto base = [&](float bias) { return std::exp2(-bias / static_cast<float>(power)); };
  return head < power ? std::pow(base(max_bias), static_cast<float>(head + 1))
                      : std::pow(base(max_bias / 2.0F), static_cast<float>(2 * (head - power) + 1));
}

/// Turns scores into weights; `sink` adds to the sum and has no position.
void softmax(std::span<float> row, float sink) {
  const float highest = std::max(*std::ranges::max_element(row), sink);
  if (highest == -std::numeric_limits<float>::infinity()) {
    std::ranges::fill(row, 0.0F);
    return;
  }
  auto sum = static_cast<double>(std::exp(sink - highest));
  for (float& value : row) {
    value = std::exp(value - highest);
    sum += static_cast<double>(value);
  }
  for (float& value : row) {
    value = static_cast<float>(static_cast<double>(value) / sum);
  }
}

}  // namespace

bool compute_attention_weights(const ggml_tensor& node, AttentionWeights& weights) {
  const ggml_tensor& query = *node.src[0];
  const ggml_tensor& key = *node.src[1];
  const ggml_tensor* const mask = node.src[3];
  const ggml_tensor* const sinks = node.src[4];
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  for (const ggml_tensor* tensor : {&query, &key, mask, sinks}) {
    if (tensor != nullptr && (!is_readable(*tensor) || tensor->ne[3] != 1)) {
      return false;
    }
  }
  const Parameters parameters = parameters_of(node);
  const auto width = static_cast<std::size_t>(query.ne[0]);
  const auto queries = static_cast<std::size_t>(query.ne[1]);
  const auto heads = static_cast<std::size_t>(query.ne[2]);
  const auto key_heads = static_cast<std::size_t>(key.ne[2]);
  const auto columns = static_cast<std::size_t>(key.ne[1]);
  std::vector<std::uint8_t> bytes;
  std::vector<float> q;
  std::vector<float> k;
  std::vector<float> m;
  std::vector<float> sink;
  read_tensor(query, bytes, q);
  read_tensor(key, bytes, k);
  if (mask != nullptr) {
    read_tensor(*mask, bytes, m);
  }
  if (sinks != nullptr) {
    read_tensor(*sinks, bytes, sink);
  }
  const std::size_t mask_heads = mask != nullptr ? static_cast<std::size_t>(mask->ne[2]) : 0;
  const std::size_t mask_rows = mask != nullptr ? static_cast<std::size_t>(mask->ne[1]) : 0;
  weights.columns = columns;
  weights.rows.assign(heads * queries * columns, kNever);
  weights.visible = visible_positions(mask, columns, queries, bytes);
  for (std::size_t head = 0; head < heads; ++head) {
    const float* const keys = k.data() + head / (heads / key_heads) * columns * width;
    const float slope = slope_of(head, heads, parameters.max_bias);
    for (std::size_t row = 0; row < queries; ++row) {
      const std::size_t index = head * queries + row;
      const std::span<float> scores = std::span(weights.rows).subspan(index * columns, columns);
      const float* const bias =
          mask != nullptr ? m.data() + ((head % mask_heads) * mask_rows + row) * columns : nullptr;
      for (std::size_t column = 0; column < columns; ++column) {
        const float offset = bias != nullptr ? slope * bias[column] : 0.0F;
        if (offset == kNever) {
          continue;
        }
        const float score =
            dot(q.data() + index * width, keys + column * width, width) * parameters.scale;
        scores[column] =
            offset +
            (parameters.cap == 0.0F ? score : parameters.cap * std::tanh(score / parameters.cap));
      }
      softmax(scores, sink.empty() ? kNever : sink[head]);
    }
  }
  return true;
}

}  // namespace enprof
