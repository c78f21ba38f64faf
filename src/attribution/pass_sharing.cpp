#include "attribution/pass_sharing.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 4> kAttention{"attention", "qk_matmul", "softmax",
                                                     "value_matmul"};
/// Operations whose results are the scores: one column for each key.
constexpr std::array<std::string_view, 2> kScores{"qk_matmul", "softmax"};
constexpr std::string_view kHead = "lm_head";
constexpr std::string_view kEmbedding = "embedding";
constexpr std::string_view kState = "recurrent_state";
/// The selection of the rows whose logits are wanted has no weight that would name it.
constexpr std::string_view kSelection = "get_rows";
constexpr double kF32 = 4.0;
constexpr double kF16 = 2.0;

template <std::size_t Size>
bool is_one_of(std::string_view name, const std::array<std::string_view, Size>& names) {
  return std::ranges::find(names, name) != names.end();
}

/// Whether a component multiplies by weights.
bool has_weights(std::string_view component) {
  constexpr std::array<std::string_view, 4> kOthers{kHead, "experts", "shared_expert", "router"};
  return component.ends_with("_proj") || is_one_of(component, kOthers);
}

bool is_attention(const OperationInfo& operation) {
  return is_one_of(operation.component, kAttention) || operation.op == "FLASH_ATTN_EXT";
}

/// By layer: the columns of its scores, of which there is one for each key; the fewest.
std::map<std::int32_t, std::uint32_t> keys_by_layer(const OperationPlan& plan) {
  std::map<std::int32_t, std::uint32_t> keys;
  for (const OperationInfo& operation : plan.operations) {
    const bool has_scores = is_one_of(operation.component, kScores) ||
                            (operation.component == "attention" && operation.op == "SOFT_MAX");
    if (has_scores && operation.shape[0] > 0 && operation.shape[0] < OperationSharing::kAllKeys) {
      const auto columns = static_cast<std::uint32_t>(operation.shape[0]);
      const auto [entry, is_new] = keys.try_emplace(operation.layer, columns);
      entry->second = std::min(entry->second, columns);
    }
  }
  return keys;
}

/// What a sequence has of what an operation is divided by.
double amount_of(const BatchSequence& sequence, OperationSharing sharing) {
  switch (sharing.by) {
    case SharedBy::tokens:
      return sequence.tokens;
    case SharedBy::outputs:
      return sequence.outputs;
    case SharedBy::attention:
      return attention_pairs(sequence, sharing.most_keys);
    case SharedBy::sequences:
      return sequence.tokens > 0 ? 1.0 : 0.0;
  }
  return 0.0;
}

/// Scales amounts to a sum of 1; false if there is nothing to scale.
bool normalize(std::vector<double>& amounts) {
  const double sum = std::accumulate(amounts.begin(), amounts.end(), 0.0);
  if (!(sum > 0.0)) {
    return false;
  }
  for (double& amount : amounts) {
    amount /= sum;
  }
  return true;
}

double sum_of(std::span<const BatchSequence> batch, std::uint32_t BatchSequence::* member) {
  double sum = 0.0;
  for (const BatchSequence& sequence : batch) {
    sum += sequence.*member;
  }
  return sum;
}

}  // namespace

double rows_of(std::span<const BatchSequence> batch, OperationSharing sharing) {
  return sum_of(batch,
                sharing.by == SharedBy::outputs ? &BatchSequence::outputs : &BatchSequence::tokens);
}

std::vector<OperationSharing> sharing_of(const OperationPlan& plan) {
  const std::map<std::int32_t, std::uint32_t> keys = keys_by_layer(plan);
  std::vector<OperationSharing> result;
  result.reserve(plan.operations.size());
  bool has_selected = false;
  std::int32_t layer = OperationInfo::kNoLayer;
  for (const OperationInfo& operation : plan.operations) {
    // A pass may run several graphs, for parts of its batch: each begins with its first layer.
    has_selected = has_selected && operation.component != kEmbedding &&
                   (operation.layer == OperationInfo::kNoLayer || operation.layer >= layer);
    layer = operation.layer == OperationInfo::kNoLayer ? layer : operation.layer;
    OperationSharing sharing;
    if (is_attention(operation)) {
      sharing.by = SharedBy::attention;
      if (const auto found = keys.find(operation.layer); found != keys.end()) {
        sharing.most_keys = found->second;
      }
    } else if (operation.component == kState) {
      sharing.by = SharedBy::sequences;
    } else if (has_selected || operation.component == kHead) {
      sharing.by = SharedBy::outputs;
    } else if (operation.component == kSelection) {
      sharing.by = SharedBy::outputs;
      has_selected = true;
    }
    result.push_back(sharing);
  }
  return result;
}

double attention_pairs(const BatchSequence& sequence, std::uint32_t most_keys) {
  const double first = std::max(0, sequence.first_position) + 1.0;  // keys of the first query
  const double count = sequence.tokens;
  const double most = most_keys;
  // Queries before `full` see all positions up to their own; those after it see `most`.
  const double full = std::clamp(most - first + 1.0, 0.0, count);
  return full * first + full * (full - 1.0) / 2.0 + (count - full) * most;
}

std::vector<double> shares_of(std::span<const BatchSequence> batch, OperationSharing sharing) {
  std::vector<double> shares(batch.size());
  const auto fill = [&](OperationSharing by) {
    std::ranges::transform(batch, shares.begin(),
                           [by](const BatchSequence& sequence) { return amount_of(sequence, by); });
    return normalize(shares);
  };
  if (!fill(sharing) && !fill({}) && !shares.empty()) {
    std::ranges::fill(shares, 1.0 / static_cast<double>(shares.size()));
  }
  return shares;
}

std::vector<double> share_deviations(std::span<const BatchSequence> batch,
                                     OperationSharing sharing) {
  if (sharing.by != SharedBy::attention || batch.size() < 2) {
    return {};
  }
  const std::vector<double> by_pairs = shares_of(batch, sharing);
  std::vector<double> by_keys;
  for (const BatchSequence& sequence : batch) {
    const double keys = std::max(0, sequence.first_position) + static_cast<double>(sequence.tokens);
    by_keys.push_back(sequence.tokens > 0 ? std::min<double>(keys, sharing.most_keys) : 0.0);
  }
  if (!normalize(by_keys)) {
    return {};
  }
  std::vector<double> deviations;
  deviations.reserve(batch.size());
  for (std::size_t index = 0; index < batch.size(); ++index) {
    deviations.push_back(std::abs(by_pairs[index] - by_keys[index]) / std::sqrt(12.0));
  }
  return deviations;
}

// ---- the work of a pass -------------------------------------------------------------------------

std::optional<PassModel> PassModel::of(const ModelFacts& facts) {
  if (!facts.parameters || !facts.layers || !facts.embedding_width || !facts.heads ||
      !facts.vocabulary || *facts.heads <= 0 || *facts.parameters == 0) {
    return std::nullopt;
  }
  const double width = *facts.embedding_width;
  const double heads = *facts.heads;
  const double head_width = facts.head_width ? *facts.head_width : width / heads;
  const double kv_heads = facts.kv_heads ? *facts.kv_heads : heads;
  const double layers = *facts.layers;
  const auto parameters = static_cast<double>(*facts.parameters);
  const double bytes =
      facts.weight_bytes ? static_cast<double>(*facts.weight_bytes) : kF16 * parameters;
  PassModel model;
  // The embedding, which is looked up and not multiplied, may be the head's own matrix.
  model.head_parameters_ = std::min(width * *facts.vocabulary, parameters);
  model.head_bytes_ = bytes * model.head_parameters_ / parameters;
  const double body = parameters - model.head_parameters_;
  const bool has_own_embedding =
      body > model.head_parameters_ && body - model.head_parameters_ > layers * width * width;
  // Without a separate embedding the head's matrix is in the file once.
  model.parameters_ = has_own_embedding ? body - model.head_parameters_ : body;
  model.weight_bytes_ = bytes * model.parameters_ / parameters;
  if (facts.experts && facts.experts_used && *facts.experts > 0) {
    // A token uses some of the experts, which hold nearly all parameters.
    model.parameters_ *= static_cast<double>(*facts.experts_used) / *facts.experts;
  }
  model.flops_per_pair_ = 4.0 * head_width * heads * layers;
  model.bytes_per_key_ = 2.0 * kv_heads * head_width * layers * kF16;
  return model;
}

double PassModel::weights_time(double tokens, double balance) const {
  return tokens > 0.0 ? modelled_time(2.0 * parameters_ * tokens, weight_bytes_, balance) : 0.0;
}

double PassModel::head_time(double outputs, double balance) const {
  return outputs > 0.0 ? modelled_time(2.0 * head_parameters_ * outputs, head_bytes_, balance)
                       : 0.0;
}

double PassModel::attention_time(const BatchSequence& sequence, double balance) const {
  const double keys = std::max(0, sequence.first_position) + static_cast<double>(sequence.tokens);
  return sequence.tokens > 0 ? modelled_time(flops_per_pair_ * attention_pairs(sequence),
                                             bytes_per_key_ * keys, balance)
                             : 0.0;
}

double PassModel::time(std::span<const BatchSequence> batch, double balance) const {
  double time = weights_time(sum_of(batch, &BatchSequence::tokens), balance) +
                head_time(sum_of(batch, &BatchSequence::outputs), balance);
  for (const BatchSequence& sequence : batch) {
    time += attention_time(sequence, balance);
  }
  return time;
}

std::vector<double> PassModel::shares(std::span<const BatchSequence> batch, double balance) const {
  const double tokens = sum_of(batch, &BatchSequence::tokens);
  const double outputs = sum_of(batch, &BatchSequence::outputs);
  if (!(tokens > 0.0)) {
    return shares_of(batch, {});
  }
  const double per_token = weights_time(tokens, balance) / tokens;
  const double per_output = outputs > 0.0 ? head_time(outputs, balance) / outputs : 0.0;
  std::vector<double> shares;
  shares.reserve(batch.size());
  for (const BatchSequence& sequence : batch) {
    shares.push_back(per_token * sequence.tokens + per_output * sequence.outputs +
                     attention_time(sequence, balance));
  }
  normalize(shares);
  return shares;
}

ModelledShares modelled_shares(const std::optional<PassModel>& model,
                               std::span<const BatchSequence> batch) {
  if (!model) {
    return {.shares = shares_of(batch, {}), .deviations = {}};
  }
  ModelledShares result{.shares = model->shares(batch), .deviations = {}};
  const std::vector<double> low = model->shares(batch, kLowestBalance);
  const std::vector<double> high = model->shares(batch, kHighestBalance);
  for (std::size_t index = 0; index < batch.size(); ++index) {
    const auto [least, most] = std::minmax({low[index], result.shares[index], high[index]});
    result.deviations.push_back((most - least) / std::sqrt(12.0));
  }
  return result;
}

// ---- what a sequence added ----------------------------------------------------------------------

std::optional<OperationLoad> load_of(const OperationInfo& operation, OperationSharing sharing,
                                     double rows) {
  if (!operation.flops || !operation.bytes) {
    return std::nullopt;
  }
  OperationLoad load{.flops = *operation.flops, .bytes = *operation.bytes};
  const bool is_shared = sharing.by == SharedBy::tokens || sharing.by == SharedBy::outputs;
  const bool is_whole_component = operation.op.empty();
  const bool is_product = is_whole_component
                              ? has_weights(operation.component)
                              : operation.op == "MUL_MAT" || operation.op == "MUL_MAT_ID";
  // A graph for a part of the batch has fewer rows than the batch.
  const double own_rows = static_cast<double>(operation.shape[1]) *
                          static_cast<double>(operation.shape[2]) *
                          static_cast<double>(operation.shape[3]);
  if (!is_whole_component && own_rows > 0.0) {
    rows = own_rows;
  }
  if (is_shared && is_product && rows > 0.0 && load.flops > 0.0) {
    const double weights = load.flops / (2.0 * rows);  // their number, K M
    const auto columns = static_cast<double>(operation.shape[0]);
    const double width = is_whole_component || columns <= 0.0 ? 2.0 * std::sqrt(weights)
                                                              : weights / columns + columns;
    const double own = std::clamp(kF32 * rows * width, 0.0, load.bytes);
    load.shared_bytes = load.bytes - own;
    load.bytes = own;
  }
  return load;
}

double marginal_part(const std::optional<OperationLoad>& load, double share, double balance) {
  if (!load || share >= 1.0 || share <= 0.0) {
    return std::clamp(share, 0.0, 1.0);
  }
  const auto time = [&](double left) {
    return modelled_time(load->flops * left, load->shared_bytes + load->bytes * left, balance);
  };
  const double whole = time(1.0);
  return whole > 0.0 ? std::clamp(1.0 - time(1.0 - share) / whole, 0.0, 1.0) : share;
}

std::vector<double> shapley_values(std::size_t players,
                                   const std::function<double(std::uint32_t)>& cost) {
  if (players == 0 || players > kMostPlayers) {
    return {};
  }
  const std::uint32_t sets = 1U << players;
  std::vector<double> costs(sets);
  for (std::uint32_t set = 1; set < sets; ++set) {
    costs[set] = cost(set);
  }
  // The share of orders in which just `before` players come before one:
  // before! (n − before − 1)! / n!
  std::vector<double> weight(players);
  weight[0] = 1.0 / static_cast<double>(players);
  for (std::size_t before = 1; before < players; ++before) {
    weight[before] =
        weight[before - 1] * static_cast<double>(before) / static_cast<double>(players - before);
  }
  std::vector<double> values(players);
  for (std::uint32_t set = 0; set < sets; ++set) {
    for (std::size_t player = 0; player < players; ++player) {
      const std::uint32_t bit = 1U << player;
      if ((set & bit) == 0) {
        const auto before = static_cast<std::size_t>(std::popcount(set));
        values[player] += weight[before] * (costs[set | bit] - costs[set]);
      }
    }
  }
  return values;
}

}  // namespace enprof
