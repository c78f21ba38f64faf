// Looks at the values of a graph's tensors, on some passes.
#pragma once

#include "enprof/model/operation.hpp"

#include "engines/llama/attention_weights.hpp"
#include "engines/llama/graph_plan.hpp"

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// What is to be read off a node.
struct ValueRoles {
  bool activation = false;      ///< the result of a component
  bool pre_activation = false;  ///< what an MLP's activation function takes
  bool gate_is_half = false;  ///< of it, the first half of each row: the other is the up projection
  bool scores = false;        ///< attention weights after the softmax
  bool router = false;        ///< router's probabilities, order or weights
  std::uint32_t operation = 0;  ///< of the plan

  [[nodiscard]] bool any() const noexcept {
    return activation || pre_activation || scores || router;
  }
};
/// By node of a graph.
using ValuePlan = std::vector<ValueRoles>;

/// Which nodes of a graph have something to say.
[[nodiscard]] ValuePlan plan_values(GraphNodes nodes, const GraphPlan& graph);

/// Reads values on one decode pass in `every`, and keeps their statistics.
/// Threads: one.
class ValueSampler {
 public:
  struct Options {
    std::size_t every = 64;
    double sparsity_threshold = 0.01;
  };
  explicit ValueSampler(const Options& options);

  /// Counts a decode pass; whether it is to be sampled. One that could not be is made up for by
  /// the next.
  [[nodiscard]] bool is_due() noexcept;
  void begin(Phase phase, std::int32_t token) noexcept;
  /// A node that has been computed and not been written over yet.
  void read(const ggml_tensor& node, const ValueRoles& roles, const OperationInfo& operation);
  /// `complete`: every node that the plan names was read. What was read of others is forgotten.
  void end(bool complete);

  /// All that was found.
  [[nodiscard]] SampledValues take();
  /// Attention weights and routers that were looked at and not understood, over all passes.
  [[nodiscard]] std::size_t unread_attentions() const noexcept { return unread_attentions_; }
  [[nodiscard]] std::size_t unread_routers() const noexcept { return unread_routers_; }

 private:
  void read_activation(const ggml_tensor& node, const OperationInfo& operation);
  void read_scores(const ggml_tensor& node, const OperationInfo& operation);
  void read_router(const ggml_tensor& node, const OperationInfo& operation);

  Options options_;
  std::size_t passes_ = 0;
  bool owed_ = false;
  Phase phase_ = Phase::decode;
  std::int32_t token_ = -1;
  SampledValues kept_;
  SampledValues present_;  // of the pass under way
  std::vector<std::uint8_t> bytes_;
  std::vector<float> values_;
  AttentionWeights attention_;
  // The tensor that was read last: most often a norm's input.
  std::vector<float> before_;
  const ggml_tensor* before_tensor_ = nullptr;
  std::optional<double> kill_ratio_;
  std::string kill_component_;
  // Of the router under way.
  std::vector<float> probabilities_;
  bool probabilities_are_logits_ = false;
  std::vector<std::int32_t> order_;
  std::size_t expert_count_ = 0;
  std::size_t unread_attentions_ = 0;
  std::size_t unread_routers_ = 0;
};

}  // namespace enprof
