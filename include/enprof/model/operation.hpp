// What an engine's compute graph did: the operations of a graph, their passes, and what each of
// them computed.
//
// A graph is evaluated once for each batch of positions: once a token in decode, a few times in
// prefill. What it consists of (the plan) repeats from pass to pass, so it is told once; a pass
// then only stamps the end of each of its operations.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/names.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// One operation of a graph.
struct OperationInfo {
  static constexpr std::int32_t kNoLayer = -1;

  std::int32_t layer = kNoLayer;  ///< from 0; kNoLayer: outside the layers (embedding, lm_head, …)
  /// q_proj, attention, down_proj, …; never a guess: an operation that nothing identifies has its
  /// own type in lower case here.
  std::string component;
  std::string op;    ///< the engine's word for it: MUL_MAT, …; empty: a component's, together
  std::string name;  ///< the engine's name of its result: Qcur-3, ffn_out-3, …
  std::array<std::int64_t, 4> shape{};  ///< of its result, fastest dimension first
  std::optional<double> flops;          ///< floating-point operations, a multiply-add counting two
  std::optional<double> bytes;  ///< read and written, each tensor once: weights, inputs, result

  friend bool operator==(const OperationInfo&, const OperationInfo&) = default;
};

/// The operations of a graph in the order in which they run, those that get a stamp only.
struct OperationPlan {
  std::vector<OperationInfo> operations;

  friend bool operator==(const OperationPlan&, const OperationPlan&) = default;
};

/// A plan that is told once and looked at by several, in any thread.
using SharedPlan = std::shared_ptr<const OperationPlan>;

/// One operation of one pass.
struct OperationEvent {
  Nanoseconds begin{0};  ///< since the run began
  /// Energy of the root domains in joules; NaN where none was measured. See energy().
  double energy_j = std::nan("");
  std::uint32_t duration_ns = 0;  ///< operations that take longer than 4.29 s are cut to that
  std::uint32_t operation = 0;    ///< index into OperationTable::operations
  std::int32_t token = -1;        ///< output token that it worked for; -1: the prompt
  Phase phase = Phase::prefill;

  [[nodiscard]] std::optional<Joules> energy() const {
    return std::isnan(energy_j) ? std::nullopt : std::optional{Joules{energy_j}};
  }
  /// Two absent energies are equal.
  friend bool operator==(const OperationEvent& a, const OperationEvent& b) {
    return a.begin == b.begin && a.energy() == b.energy() && a.duration_ns == b.duration_ns &&
           a.operation == b.operation && a.token == b.token && a.phase == b.phase;
  }
};
static_assert(sizeof(OperationEvent) <= 32);

/// Every operation of the run, in the order of time, and what they were. At depth module the
/// operations of a component that follow each other are one, whose `op`, `name` and shape are
/// empty.
struct OperationTable {
  std::vector<OperationInfo> operations;  ///< each kind once
  std::vector<OperationEvent> events;     ///< empty at minimal depth

  friend bool operator==(const OperationTable&, const OperationTable&) = default;
};

/// Component of kNoLayer that stands for the time of passes before their first operation and after
/// their last.
inline constexpr const char* kSelfComponent = "(self)";
/// Component of kNoLayer that stands for passes whose operations were not told apart: looked at for
/// their values, off the plan, or beyond the run's memory.
inline constexpr const char* kUntimedComponent = "(untimed)";

/// All of one layer in one phase, taken together. Layers of a phase add up to its passes.
struct LayerFigure {
  Phase phase = Phase::decode;
  std::int32_t layer = OperationInfo::kNoLayer;  ///< kNoLayer: what lies outside the layers
  std::size_t count = 0;                         ///< passes
  Figure figure;

  friend bool operator==(const LayerFigure&, const LayerFigure&) = default;
};

/// All of one component of one layer in one phase, taken together. Components of a layer add up to
/// the layer.
struct ComponentFigure {
  Phase phase = Phase::decode;
  std::int32_t layer = OperationInfo::kNoLayer;
  std::string component;
  std::size_t count = 0;  ///< passes
  Figure figure;
  std::optional<double> flops;  ///< sum over the passes; empty where one operation's are not known
  std::optional<double> bytes;

  friend bool operator==(const ComponentFigure&, const ComponentFigure&) = default;
};

/// All operations of one class (phase × component × op) taken together, over layers and passes.
struct OperationFigure {
  Phase phase = Phase::decode;
  std::string component;
  std::string op;
  std::size_t count = 0;  ///< operations
  Figure figure;
  std::optional<double> flops;
  std::optional<double> bytes;

  friend bool operator==(const OperationFigure&, const OperationFigure&) = default;
};

/// Statistics of the result of one component in one pass, over all its elements.
struct ActivationValues {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = OperationInfo::kNoLayer;
  std::string component;
  double mean = 0.0;
  double standard_deviation = 0.0;
  double maximum = 0.0;   ///< of the absolute values
  double sparsity = 0.0;  ///< 0–1: share of elements whose absolute value is below the threshold
  std::optional<double> kill_ratio;      ///< MLP: share of gate pre-activations below 0
  std::optional<double> variance_ratio;  ///< norms: variance of the input / of the output

  friend bool operator==(const ActivationValues&, const ActivationValues&) = default;
};

/// Statistics of one attention head in one pass: means over its queries.
struct AttentionValues {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = 0;
  std::int32_t head = 0;
  double entropy_nats = 0.0;    ///< −Σ p ln p
  double maximum_weight = 0.0;  ///< the largest p
  double sparsity = 0.0;        ///< 0–1: share of weights below the threshold

  friend bool operator==(const AttentionValues&, const AttentionValues&) = default;
};

/// Which experts of a mixture a layer chose for one position of one pass.
struct ExpertActivation {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = 0;
  std::vector<std::uint16_t> experts;  ///< chosen, by weight
  std::vector<float> weights;          ///< of the chosen ones, in the same order
  double routing_entropy_nats = 0.0;   ///< of the router's distribution over all experts

  friend bool operator==(const ExpertActivation&, const ExpertActivation&) = default;
};

/// Values that were looked at, on sampled passes only.
struct SampledValues {
  std::size_t every = 0;   ///< one decode pass in so many was sampled; 0: none
  std::size_t passes = 0;  ///< that were sampled; they are left out of timings of operations
  double sparsity_threshold = 0.01;
  std::vector<ActivationValues> activations;
  std::vector<AttentionValues> attention;
  std::vector<ExpertActivation> experts;

  friend bool operator==(const SampledValues&, const SampledValues&) = default;
};

}  // namespace enprof
